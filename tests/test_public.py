"""What ``import acclimate`` gives: the public names, whatever was imported before them."""

from __future__ import annotations

import subprocess
import sys

import pytest

import acclimate

EXAMPLE = """
data = ac.Dataset.of([(f"u{u}", f"i{(u + t) % 4}", float(t)) for u in range(8) for t in range(3)])
print(ac.evaluate([ac.Popularity()], data, protocol="last", k=2).models[0].name)
"""


@pytest.mark.parametrize(
    "before", ["", "import acclimate.evaluate.report", "from acclimate.evaluate import compare"]
)
@pytest.mark.parametrize("after", ["", "import acclimate.evaluate.compare as c; c.paired"])
def test_evaluate_can_be_called_in_any_order(before: str, after: str) -> None:
    code = "\n".join([before, "import acclimate as ac", EXAMPLE, after])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("popularity\n", "")


def test_every_public_name_is_there_and_listed() -> None:
    assert set(acclimate.__all__) <= set(dir(acclimate))
    assert all(callable(getattr(acclimate, name)) for name in acclimate.__all__ if name != "__version__")
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = acclimate.Nothing


def test_importing_it_loads_nothing_slow() -> None:
    slow = {"torch", "transformers", "polars", "sklearn", "lightning", "litestar", "pandas"}
    code = f"import sys, acclimate; print(sorted({slow} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
