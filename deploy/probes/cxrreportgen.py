"""CxrReportGen: input is a chest X-ray and the indication, output is sentences with boxes.

The expected response, as in its notebooks: one object per row; `output` is JSON inside a string, a list of
[sentence, boxes]. Boxes are null or a list of [x_min, y_min, x_max, y_max] in shares (0 to 1) of the square in the
middle of the image, with its shorter side; the model uses only that square. The text of a finding is not checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from deploy.domain.report import Evidence
from deploy.probes.answers import WrongAnswer, envelope, excerpt, kind, only_row, parse_nested_json, required_value
from deploy.probes.boxes import marked
from deploy.probes.samples import base64_text, png_size, read, required_text
from deploy.probes.values import Box, Finding, Values
from deploy.sanitize import sanitize
from deploy.text import count

REQUIRED_KEYS: tuple[str, ...] = ("image",)
"""Keys of `probe` in pipeline.yml that this type needs."""
INPUTS: tuple[str, ...] = ("image", "text")
"""Keys of `probe` that a user can replace by an input of their own."""
TAKES = "png"
"""What a case's input is converted to: png, nifti or json."""
EXPECTS: tuple[str, ...] = ("findings",)
"""Keys of `expect` that fit an answer of this type."""
_COLUMNS = ("frontal_image", "indication", "technique", "comparison")


def request(probe: Mapping[str, Any], folder: Path) -> bytes:
    """One row: the frontal image in base64 as it is; the probe's `text` is the indication."""
    image = read(folder, required_text(probe, "image"))
    png_size(image, probe["image"])
    return envelope(_COLUMNS, (base64_text(image), probe.get("text") or "", "", "None"))


def values(probe: Mapping[str, Any], folder: Path, status: int, body: bytes) -> Values:
    """The findings, with their boxes in pixels of the image that was sent."""
    row = only_row(probe, status, body)
    findings = _findings(parse_nested_json(required_value(row, "output"), "output"))
    size = png_size(read(folder, required_text(probe, "image")), probe["image"])
    placed = (replace(each, boxes=tuple(_on_image(box, size) for box in each.boxes)) for each in findings)
    return Values(findings=tuple(placed), size=size)


def check(probe: Mapping[str, Any], folder: Path, status: int, body: bytes) -> Evidence:
    """Read all findings. The picture needs numpy and pillow; without them `data` contains the reason for none."""
    row = only_row(probe, status, body)
    findings = _findings(parse_nested_json(required_value(row, "output"), "output"))
    image = read(folder, required_text(probe, "image"))
    size = png_size(image, probe["image"])
    pixels = [[_on_image(box, size) for box in finding.boxes] for finding in findings]
    words = f"cxrreportgen probe, {Path(probe['image']).name}, the frame is the square that the model uses"
    marks = [(finding.text, boxes) for finding, boxes in zip(findings, pixels, strict=True)]
    picture = marked(image, size, marks, _count(findings), words)
    return _evidence(probe, findings, pixels, picture)


def _findings(listed: Any) -> list[Finding]:
    if not isinstance(listed, list):
        raise WrongAnswer(f"expected a list of findings in 'output', got {kind(listed)}")
    if not listed:
        raise WrongAnswer("expected at least one finding in 'output', got an empty list")
    return [_finding(each, f"finding {place}") for place, each in enumerate(listed, 1)]


def _finding(value: Any, where: str) -> Finding:
    if not isinstance(value, list):
        raise WrongAnswer(f"expected [sentence, boxes] as {where}, got {kind(value)}")
    if len(value) != 2:
        raise WrongAnswer(f"expected a sentence and its boxes as {where}, got a list of {len(value)}")
    text, boxes = value
    if not isinstance(text, str):
        raise WrongAnswer(f"expected a sentence in {where}, got {kind(text)}")
    if not text.strip():
        raise WrongAnswer(f"expected a sentence in {where}, got an empty string")
    if boxes is not None and not isinstance(boxes, list):
        raise WrongAnswer(f"expected a list of boxes or null in {where}, got {kind(boxes)}")
    words = " ".join(sanitize(text[:2000]).split())
    return Finding(words, tuple(_box(box, f"box {place} of {where}") for place, box in enumerate(boxes or (), 1)))


def _box(value: Any, where: str) -> Box:
    if not isinstance(value, list) or len(value) != 4:
        actual = f"a list of {len(value)}" if isinstance(value, list) else kind(value)
        raise WrongAnswer(f"expected [x_min, y_min, x_max, y_max] as {where}, got {actual}")
    for each in value:
        if isinstance(each, bool) or not isinstance(each, int | float):
            raise WrongAnswer(f"expected numbers in {where}, got {kind(each)}")
        if not 0 <= each <= 1:
            raise WrongAnswer(f"expected shares from 0 to 1 in {where}, got {sanitize(repr(each)[:40])}")
    left, top, right, bottom = map(float, value)
    if left >= right:
        raise WrongAnswer(f"expected x_min below x_max in {where}, got {left:g} and {right:g}")
    if top >= bottom:
        raise WrongAnswer(f"expected y_min below y_max in {where}, got {top:g} and {bottom:g}")
    return left, top, right, bottom


def _on_image(box: Box, size: tuple[int, int]) -> Box:
    """A box in pixels of the image that was sent."""
    side = min(size)
    x, y = (size[0] - side) // 2, (size[1] - side) // 2
    left, top, right, bottom = (round(share * side, 1) for share in box)
    return left + x, top + y, right + x, bottom + y


def _evidence(
    probe: Mapping[str, Any], findings: list[Finding], pixels: list[list[Box]], picture: bytes | str
) -> Evidence:
    name = f"{Path(probe['image']).stem}-findings.png"
    files = {name: picture} if isinstance(picture, bytes) else {}
    listed = [
        {"text": finding.text, "boxes": [list(box) for box in finding.boxes], "pixels": [list(box) for box in boxes]}
        for finding, boxes in zip(findings, pixels, strict=True)
    ]
    data = {
        "type": "cxrreportgen",
        "image": probe["image"],
        "findings": listed,
        "picture": name if files else None,
        "no_picture": None if files else picture,
    }
    return Evidence(f"{_count(findings)}, first {excerpt(findings[0].text, 80)}", data, files)


def _count(findings: list[Finding]) -> str:
    boxes = sum(len(finding.boxes) for finding in findings)
    return f"{count(len(findings), 'finding')} with {count(boxes, 'box', 'boxes')}"
