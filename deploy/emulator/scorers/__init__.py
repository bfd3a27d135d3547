"""Stand-ins for registry models, so that an endpoint of the emulator answers like the model's own.

Each honours the documented request and response of its model, computes its answer from the image it is sent, and says
that it is a stand-in. None of them is the model, and nothing they answer has a medical meaning.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Scorer = Callable[[dict[str, Any]], Any]
"""Takes the decoded JSON of a scoring request, returns what the model would answer, to be written as JSON."""

_REGISTRY_MODEL = re.compile(r"(?i)azureml://registries/[^/]+/models/(?P<name>[^/]+)(/(versions|labels)/[^/]+)?/?")


class ScoringError(Exception):
    """The model's container refuses or fails; `status` is what it would answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def find(model_id: str | None) -> Scorer | None:
    """The stand-in for a registry model's id, or None for a model that has none."""
    match = _REGISTRY_MODEL.fullmatch(model_id or "")
    if match and match["name"].lower() == "medimageparse":
        from deploy.emulator.scorers.medimageparse import score

        return score
    return None
