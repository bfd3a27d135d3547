"""Stand-ins for registry models: they answer the scoring requests of the emulator's endpoints.

Each has the documented request and response of its model and computes its answer from the image in the request. None of
them is the model, and their answers have no medical meaning. The log of a deployment names its stand-in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

Scorer = Callable[[dict[str, Any]], Any]
"""Decoded JSON of a scoring request -> answer, a JSON value."""

_REGISTRY_MODEL = re.compile(r"(?i)azureml://registries/[^/]+/models/(?P<name>[^/]+)(/(versions|labels)/[^/]+)?/?")

_MODULES: Mapping[str, str] = {
    "medimageparse": "medimageparse",
    "medimageparse3d": "medimageparse3d",
    "medimageinsight": "medimageinsight",
    "cxrreportgen": "cxrreportgen",
    "prov-gigapath": "gigapath",
}
"""A registry model's name in lower case -> the module of its stand-in. Imported at first use: numpy is heavy."""


class ScoringError(Exception):
    """The model's container would refuse or fail; `status` is its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def find(model_id: str | None) -> Scorer | None:
    """The stand-in for a registry model's id, or None for a model that has none."""
    match = _REGISTRY_MODEL.fullmatch(model_id or "")
    module = _MODULES.get(match["name"].lower()) if match else None
    if module is None:
        return None
    scorer: Scorer = import_module(f"{__name__}.{module}").score
    return scorer
