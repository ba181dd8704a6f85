"""The OpenAPI document says what the service does; made-up requests find no fault in either."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, settings
from schemathesis import checks

from acclimate.config import Home, Settings
from acclimate.serve.app import make_app
from acclimate.serve.engine import Engine
from tests.serve.conftest import Client

OPERATIONS = 17
"""Routes with a schema; a new one is counted here, so that none goes untested by accident."""
DOCUMENT = make_app(Engine(Home("unused"), Settings())).openapi_schema.to_schema()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)


def test_every_operation_is_described() -> None:
    found = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
    assert len(found) == OPERATIONS
    for operation in found:
        assert operation["description"]
        assert operation["tags"]
        for status, response in operation["responses"].items():
            if status >= "400":
                reference = response["content"]["application/json"]["schema"]["$ref"]
                assert reference.endswith("/ProblemAnswer")


def test_a_body_says_that_it_has_no_other_fields() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["EventBody"]["additionalProperties"] is False
    assert schemas["RecommendBody"]["properties"]["k"]["maximum"] == 1000
    assert schemas["EventBody"]["required"] == ["event_type", "user_id"]


@pytest.mark.timeout(120)
@SCHEMA.parametrize()
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_made_up_requests_find_no_fault(case: schemathesis.Case[Any], shared: Client) -> None:
    request = case.as_transport_kwargs(base_url="http://testserver")
    request.pop("cookies")
    request["content"] = request.pop("data", None)
    assume(len(quote(str(request["params"]))) < 60_000)  # the test client builds no longer address
    response = shared.request(**request)
    assert response.status_code < 500
    case.validate_response(  # raises on the first check that fails
        response,
        checks=[
            checks.not_a_server_error,
            checks.status_code_conformance,
            checks.response_schema_conformance,
            checks.content_type_conformance,
        ],
    )
