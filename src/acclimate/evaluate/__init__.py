"""How good a model is: protocols, intervals, comparisons, reports.

The room and its main function share a name, so the room can be called: ``acclimate.evaluate(models, data)``
is `acclimate.evaluate.protocols.evaluate`, in whatever order things were imported.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from acclimate.evaluate.results import Report


class _Callable(ModuleType):
    def __call__(self, *args: Any, **options: Any) -> Report:
        from acclimate.evaluate.protocols import evaluate

        return evaluate(*args, **options)


sys.modules[__name__].__class__ = _Callable
