"""MedImageParse 3D: input is a NIfTI volume and prompts separated by `&`, output is a label volume of the same size.

The expected response, as in its model card: one object per row; `nifti_file` is JSON inside a string with base64
`data`, a .nii.gz of whole numbers where 0 is background. The card does not document the label of each prompt; we assume
their order, 1 for the first. A prompt without a voxel and a label without a prompt are warnings; if all voxels have the
same label, the response is wrong.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy.domain.report import Evidence
from deploy.probes import nifti
from deploy.probes.answers import WrongAnswer, envelope, kind, only_row, parse_nested_json, required_value, unbase64
from deploy.probes.nifti import Header, NotNifti, sized
from deploy.probes.pictures import Layer
from deploy.probes.regions import Region
from deploy.probes.samples import InvalidProbe, base64_text, prompts_of, read, required_text
from deploy.probes.values import Values
from deploy.probes.volumes import slices
from deploy.text import noun

REQUIRED_KEYS: tuple[str, ...] = ("image", "text")
"""Keys of `probe` in pipeline.yml that this type needs."""
INPUTS: tuple[str, ...] = ("image", "text")
"""Keys of `probe` that a user can replace by an input of their own."""
TAKES = "nifti"
"""What a case's input is converted to: png, nifti or json."""
EXPECTS: tuple[str, ...] = ("masks",)
"""Keys of `expect` that fit an answer of this type."""


@dataclass(frozen=True)
class Found:
    """The result of one prompt: the number of voxels with its label, their share of the volume, their millilitres."""

    prompt: str
    label: int
    voxels: int
    share: float
    millilitres: float


def request(probe: Mapping[str, Any], folder: Path) -> bytes:
    """One row: the .nii.gz file in base64 as it is, and the prompts as they are."""
    volume, _ = _sent(probe, folder)
    prompts_of(probe)
    return envelope(("image", "text"), (base64_text(volume), probe["text"]))


def values(probe: Mapping[str, Any], folder: Path, status: int, body: bytes) -> Values:
    """The mask of each prompt: label n belongs to prompt n."""
    row, prompts = only_row(probe, status, body), prompts_of(probe)
    _, head = _sent(probe, folder)
    stored, labels, _ = _labels(label_file(row), head)
    return Values(regions_of(prompts, head, labels, stored))


def regions_of(
    prompts: Sequence[str], head: Header, labels: array[float], stored: Mapping[int, float]
) -> tuple[Region, ...]:
    """A mask for each prompt. `stored`: label -> its value in `labels`."""
    left, low = nifti.patient_left(head), _low_bytes(labels, stored)
    found = []
    for label, prompt in enumerate(prompts, 1):
        value = stored.get(label)
        if value is None:
            pixels = bytes(head.voxels)
        elif low is not None:
            pixels = low.translate(bytes(each == value for each in range(256)))
        else:
            pixels = bytes(each == value for each in labels)
        found.append(Region(prompt, head.shape, pixels, left))
    return tuple(found)


def _low_bytes(labels: array[float], stored: Mapping[int, float]) -> bytes | None:
    """The values as bytes, which is much faster; None if one does not fit."""
    if labels.typecode in "fd" or not all(0 <= value < 256 for value in stored.values()):
        return None
    start = 0 if sys.byteorder == "little" else labels.itemsize - 1
    return labels.tobytes()[start :: labels.itemsize]


def check(probe: Mapping[str, Any], folder: Path, status: int, body: bytes) -> Evidence:
    """Count the voxels of each prompt. The picture needs numpy and pillow; without them `data` contains the reason."""
    prompts = prompts_of(probe)
    row = only_row(probe, status, body)
    volume, head = _sent(probe, folder)
    answer = label_file(row)
    stored, labels, counts = _labels(answer, head)
    millilitre = head.spacing[0] * head.spacing[1] * head.spacing[2] / 1000
    found = [
        Found(prompt, label, counts[label], counts[label] / head.voxels, round(counts[label] * millilitre, 1))
        for label, prompt in enumerate(prompts, 1)
    ]
    picture = _picture(volume, head, labels, found, stored, probe)
    return _evidence(probe, head.shape, found, sorted(set(counts) - set(range(len(prompts) + 1))), answer, picture)


def _sent(probe: Mapping[str, Any], folder: Path) -> tuple[bytes, Header]:
    name = required_text(probe, "image")
    volume = read(folder, name)
    try:
        return volume, nifti.header(volume)
    except NotNifti as wrong:
        raise InvalidProbe(
            "image", f"'{name}': expected {wrong}", "Use one volume as .nii.gz, which the model expects"
        ) from None


def label_file(row: Mapping[str, Any]) -> bytes:
    """The .nii.gz file in the row of an answer."""
    file = parse_nested_json(required_value(row, "nifti_file"), "nifti_file")
    if not isinstance(file, dict):
        raise WrongAnswer(f"expected an object with data in 'nifti_file', got {kind(file)}")
    return unbase64(required_value(file, "data"), "data")


def _labels(content: bytes, sent: Header) -> tuple[dict[int, float], array[float], Counter[int]]:
    """Label -> its stored value in the file; the stored values; label -> number of voxels."""
    try:
        head, values = nifti.volume(content, sent.shape)
    except NotNifti as wrong:
        raise WrongAnswer(f"expected {wrong}") from None
    stored, counts = {}, Counter[int]()
    for number, count in Counter(values).items():
        value = number * head.slope + head.intercept
        if not -(2**53) < value < 2**53 or value != int(value) or value < 0:  # false for NaN, too
            raise WrongAnswer(f"expected labels 0, 1, 2 and so on, got a voxel of {value:g}")
        stored[int(value)] = number
        counts[int(value)] += count
    if len(counts) == 1:
        raise WrongAnswer(f"expected labels and background, got {next(iter(counts))} for all {sent.voxels} voxels")
    return stored, values, counts


def _picture(
    volume: bytes,
    head: Header,
    labels: array[float],
    found: list[Found],
    stored: Mapping[int, float],
    probe: Mapping[str, Any],
) -> bytes | str:
    try:
        _, image = nifti.volume(volume, head.shape)
    except NotNifti as wrong:
        return f"the volume cannot be drawn: expected {wrong}"
    words = (
        f"medimageparse3d probe, {Path(probe['image']).name}, {sized(head.shape)} voxels, the slices with most labels"
    )
    layers = [
        (stored.get(each.label), Layer(each.prompt, f"{each.millilitres:g} ml", each.share, b"")) for each in found
    ]
    return slices(head, image, labels, layers, words)


def _evidence(
    probe: Mapping[str, Any],
    shape: tuple[int, int, int],
    found: list[Found],
    unassigned: list[int],
    answer: bytes,
    picture: bytes | str,
) -> Evidence:
    stem = Path(probe["image"]).name.split(".")[0]
    files = {f"{stem}-labels.nii.gz": answer}
    drawn = f"{stem}-labels.png" if isinstance(picture, bytes) else None
    if isinstance(picture, bytes):
        files = {f"{stem}-labels.png": picture, **files}
    warnings = [f"'{each.prompt}' found nothing" for each in found if not each.voxels]
    warnings += [f"label {label} belongs to no prompt" for label in unassigned]
    data = {
        "type": "medimageparse3d",
        "image": probe["image"],
        "shape": list(shape),
        "labels": [asdict(each) for each in found],
        "warnings": warnings,
        "picture": drawn,
        "no_picture": None if drawn else picture,
    }
    summary = [
        f"{each.prompt} {each.voxels} {noun(each.voxels, 'voxel')} ({each.millilitres:g} ml)"
        for each in found
        if each.voxels
    ]
    return Evidence(f"labels of {sized(shape)} voxels: {', '.join(summary + warnings)}", data, files)
