"""Stand-ins for registry models: they answer the scoring requests of the emulator's endpoints.

Each has the documented request and response of its model and computes its answer from the image in the request. None of
them is the model, and their answers have no medical meaning. The log of a deployment names its stand-in.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

Scorer = Callable[[dict[str, Any]], Any]
"""Decoded JSON of a scoring request -> answer, a JSON value."""

_REGISTRY_MODEL = re.compile(r"(?i)azureml://registries/[^/]+/models/(?P<name>[^/]+)(/(versions|labels)/[^/]+)?/?")

_A100_H100 = (
    "Standard_NC24ads_A100_v4", "Standard_NC48ads_A100_v4", "Standard_NC96ads_A100_v4", "Standard_ND96asr_v4",
    "Standard_ND96amsr_A100_v4", "Standard_ND40rs_v2", "Standard_NC40ads_H100_v5", "Standard_NC80adis_H100_v5",
    "Standard_ND96isr_H100_v5",
)  # fmt: skip
_T4 = ("Standard_NC4as_T4_v3", "Standard_NC8as_T4_v3", "Standard_NC16as_T4_v3", "Standard_NC64as_T4_v3")
_CXR = tuple(size for size in _A100_H100 if size != "Standard_ND40rs_v2")
_GIGAPATH = ("Standard_NC6s_v3", "Standard_NC12s_v3", "Standard_NC24s_v3", *_A100_H100[:6])


class RegistryModel(NamedTuple):
    """A model of the default registry. `module`: of its stand-in; imported at its first use, because numpy is heavy."""

    name: str
    module: str
    versions: tuple[int, ...]
    smallest: str
    """Cores|GPUs|GB of memory|GB of disk."""
    sizes: tuple[str, ...]
    """Allowed VM sizes."""
    description: str


MODELS = tuple(
    RegistryModel(*row)
    for row in (
        ("MedImageParse", "medimageparse", (14, 15, 16, 17), "24|1|220|64", _A100_H100,
         "Segmentation of medical images from text prompts."),
        ("MedImageParse3D", "medimageparse3d", (4, 5, 6), "24|1|220|64", _A100_H100,
         "Segmentation of medical volumes from text prompts."),
        ("MedImageInsight", "medimageinsight", (11, 12, 13), "4|1|28|64", (*_T4, *_A100_H100),
         "Embeddings of medical images and texts."),
        ("CxrReportGen", "cxrreportgen", (6, 11, 12), "24|1|220|64", _CXR, "Findings of chest X-rays."),
        ("Prov-GigaPath", "gigapath", (2, 3), "6|1|112|64", _GIGAPATH, "Embeddings of pathology tiles."),
    )
)  # fmt: skip
_MODULES = {model.name.lower(): model.module for model in MODELS}


class ScoringError(Exception):
    """The model's container would refuse or fail; `status` is its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def find(model_id: str | None) -> Scorer | None:
    """The stand-in for a registry model's id, or None for a model that has none."""
    module = _module(model_id)
    if module is None:
        return None
    scorer: Scorer = import_module(f"{__name__}.{module}").score
    return scorer


def why_unanswered(model_id: str | None) -> str:
    """Why a deployment of this model without scoring code cannot answer; "" when a stand-in answers."""
    if _module(model_id):
        return ""
    return (
        f"the emulator has no stand-in for {model_id or 'a deployment without a model'}. It does not run models "
        "without scoring code, such as MLflow models: every scoring request is answered 424. Add code_configuration, "
        "or test the deployment in Azure."
    )


def _module(model_id: str | None) -> str | None:
    match = _REGISTRY_MODEL.fullmatch(model_id or "")
    return _MODULES.get(match["name"].lower()) if match else None
