"""MedImageInsight: an image and a text go in, a vector of 1024 numbers for each comes out.

The right answer has `image_features`, one vector in a list, and `text_features` likewise when a text was sent;
`scaling_factor` comes only when asked for and is checked when it is there. Clients show a list of one object, the
documentation the object bare, the model card three objects of one key each; all three are understood.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.domain.report import Evidence
from deploy.probes.answers import decoded, envelope, expect_status, member, only_row
from deploy.probes.samples import base64_text, png_size, read, wanted
from deploy.probes.vectors import cosine, norm, positive, vector

NEEDS: tuple[str, ...] = ("image",)
"""Keys of `probe` in pipeline.yml that this type needs."""
LENGTH = 1024


def request(probe: Mapping[str, Any], folder: Path) -> bytes:
    """One row: the image file in base64 as it is, and the text, empty when the probe has none."""
    image = read(folder, wanted(probe, "image"))
    png_size(image, probe["image"])
    return envelope(("image", "text"), (base64_text(image), probe.get("text") or ""))


def check(probe: Mapping[str, Any], folder: Path, status: int, body: bytes) -> Evidence:  # noqa: ARG001 - one shape for all
    """Measure the vectors; both of them when a text was sent."""
    row = _joined(probe, status, body)
    vectors = {"image": vector(member(row, "image_features"), "image_features", LENGTH)}
    if (probe.get("text") or "").strip():
        vectors["text"] = vector(member(row, "text_features"), "text_features", LENGTH)
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
    said = " and ".join(f"{name} vector of {LENGTH} numbers, norm {norm(each):.4g}" for name, each in vectors.items())
    siblings = f", cosine {data['cosine']:.3f}" if "text" in vectors else ""
    files = {f"{Path(probe['image']).stem}-vectors.json": json.dumps(vectors).encode()}
    return Evidence(said + siblings, data, files)


def _joined(probe: Mapping[str, Any], status: int, body: bytes) -> Mapping[str, Any]:
    """The row as one object, even when each of its keys came in an object of its own."""
    expect_status(probe, status, body)
    answer = decoded(body)
    if isinstance(answer, list) and len(answer) > 1 and all(isinstance(each, dict) for each in answer):
        keys = [key for each in answer for key in each]
        if len(set(keys)) == len(keys) and all(len(each) == 1 for each in answer):
            return {key: value for each in answer for key, value in each.items()}
    return only_row(probe, status, body)
