"""MedImageInsight: input is an image and a text, output is a vector of 1024 numbers for each.

The expected response has `image_features`, one vector in a list, and `text_features` in the same form if a text was
sent; `scaling_factor` is optional. The client returns a list of one object, the documentation shows one object, the
model card three objects of one key each; all three forms are accepted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.domain.report import Evidence
from deploy.probes.answers import decoded, envelope, expect_status, only_row, required_value
from deploy.probes.samples import base64_text, png_size, read, required_text
from deploy.probes.values import Values
from deploy.probes.vectors import cosine, norm, positive, vector

REQUIRED_KEYS: tuple[str, ...] = ("image",)
"""Keys of `probe` in pipeline.yml that this type needs."""
INPUTS: tuple[str, ...] = ("image", "text")
"""Keys of `probe` that a user can replace by an input of their own."""
TAKES = "png"
"""What a case's input is converted to: png, nifti or json."""
EXPECTS: tuple[str, ...] = ("vector", "label")
"""Keys of `expect` that fit an answer of this type."""
LENGTH = 1024


def request(probe: Mapping[str, Any], folder: Path) -> bytes:
    """One row: the image file in base64 as it is, and the text, empty when the probe has none."""
    image = read(folder, required_text(probe, "image"))
    png_size(image, probe["image"])
    return envelope(("image", "text"), (base64_text(image), probe.get("text") or ""))


def values(probe: Mapping[str, Any], folder: Path, status: int, body: bytes) -> Values:  # noqa: ARG001 - the signature of all probe types
    """The vector of the image, and that of the text if one was sent."""
    return Values(vectors=_vectors(probe, _joined(probe, status, body)))


def _vectors(probe: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, list[float]]:
    vectors = {"image": vector(required_value(row, "image_features"), "image_features", LENGTH)}
    if (probe.get("text") or "").strip():
        vectors["text"] = vector(required_value(row, "text_features"), "text_features", LENGTH)
    return vectors


def check(probe: Mapping[str, Any], folder: Path, status: int, body: bytes) -> Evidence:  # noqa: ARG001 - the signature of all probe types
    """Check and measure the vectors."""
    row = _joined(probe, status, body)
    vectors = _vectors(probe, row)
    factor = row.get("scaling_factor")
    data = {
        "type": "medimageinsight",
        "image": probe["image"],
        "text": probe.get("text"),
        "length": LENGTH,
        "norms": {name: round(norm(numbers), 6) for name, numbers in vectors.items()},
        "cosine": round(cosine(vectors["image"], vectors["text"]), 6) if "text" in vectors else None,
        "scaling_factor": None if factor is None else positive(factor, "scaling_factor"),
    }
    summary = " and ".join(
        f"{name} vector of {LENGTH} numbers, norm {norm(each):.4g}" for name, each in vectors.items()
    )
    similarity = f", cosine {data['cosine']:.3f}" if "text" in vectors else ""
    files = {f"{Path(probe['image']).stem}-vectors.json": json.dumps(vectors).encode()}
    return Evidence(summary + similarity, data, files)


def _joined(probe: Mapping[str, Any], status: int, body: bytes) -> Mapping[str, Any]:
    """The row as one object, also if each of its keys is in a separate object."""
    expect_status(probe, status, body)
    answer = decoded(body)
    if isinstance(answer, list) and len(answer) > 1 and all(isinstance(each, dict) for each in answer):
        keys = [key for each in answer for key in each]
        if len(set(keys)) == len(keys) and all(len(each) == 1 for each in answer):
            return {key: value for each in answer for key, value in each.items()}
    return only_row(probe, status, body)
