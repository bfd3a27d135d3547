"""An answer as the `expect` of a case file, and the files that it names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from deploy.probes import answers, inputs, medimageparse3d
from deploy.probes.cases import Result
from deploy.probes.metrics import expected_kind
from deploy.probes.values import Values


def expected(case: Mapping[str, Any], name: str, result: Result) -> tuple[dict[str, Any] | None, dict[str, bytes]]:
    """`expect`, and file name -> content. None for an answer without a form that can be written, such as a label."""
    got = result.answer
    if got is None or expected_kind(case) == "label":
        return None, {}
    if got.regions:
        return _masks(name, got, result.body)
    if got.findings:
        rows = [
            {"text": each.text, **({"boxes": [list(box) for box in each.boxes]} if each.boxes else {})}
            for each in got.findings
        ]
        return {"findings": rows}, {}
    if got.vectors:
        file = f"{name}-vector.json"
        numbers = [float(f"{number:.6g}") for number in got.vectors["image"]]
        return {"vector": file}, {file: json.dumps(numbers).encode()}
    if isinstance(got.content, dict | list):
        file = f"{name}-answer.json"
        return {"answer": file}, {file: json.dumps(got.content, indent=1).encode()}
    return ({"text": got.content}, {}) if isinstance(got.content, str) and got.content.strip() else (None, {})


def _masks(name: str, got: Values, body: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    if len(got.regions[0].shape) == 3:
        row = answers.only_row({}, 200, body)
        file = f"{name}-labels.nii.gz"
        return {"masks": file}, {file: medimageparse3d.label_file(row)}
    import numpy as np

    files, masks = {}, {}
    for number, region in enumerate(got.regions, 1):
        plane = np.frombuffer(region.pixels, np.uint8).reshape(region.shape[::-1]) * np.uint8(255)
        masks[region.prompt] = file = f"{name}-mask-{number}.png"
        files[file] = inputs.png_of(plane)
    return {"masks": masks}, files
