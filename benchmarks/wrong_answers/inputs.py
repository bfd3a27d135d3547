"""An input of a template, the stand-in's answer to it as arrays or lists, and the way back to the wire.

Answers: of the segmenting models a Boolean array [prompts, y, x] or [prompts, x, y, z]; of the embedding ones a mapping
of vectors; of CxrReportGen a list of [sentence, boxes].
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deploy.emulator.runtime import standins
from deploy.emulator.runtime.standins import gigapath, nifti
from deploy.probes import tensors

MODELS = {
    "medimageparse": "MedImageParse",
    "medimageparse3d": "MedImageParse3D",
    "medimageinsight": "MedImageInsight",
    "cxrreportgen": "CxrReportGen",
    "gigapath": "Prov-GigaPath",
}
Pixels = NDArray[np.float64]
"""An image [y, x] or [y, x, colour], or a volume [x, y, z]; 0 is its darkest value and 1 its brightest."""


@dataclass(frozen=True)
class Input:
    """`request` is the decoded body of the scoring request, `number` counts the requests of a probe from 0."""

    template: str
    name: str
    number: int
    request: Any
    others: tuple[Any, ...] = ()
    """The requests of the template's other inputs."""
    before: Any = None
    """The request before this one, if any."""

    def asked(self, request: Any) -> Any:
        """The row that the stand-in answers to a request."""
        return _scored(self.template, json.dumps(request))

    @cached_property
    def row(self) -> Any:
        """The right answer as the wire has it."""
        return self.asked(self.request)

    @cached_property
    def answer(self) -> Any:
        """The right answer in a form that is easy to change."""
        return self.unpack(self.row)

    @cached_property
    def image(self) -> bytes:
        """The file in the request."""
        return base64.b64decode(self.request["input_data"]["data"][0][0])

    @property
    def axes(self) -> dict[str, int]:
        """The axes of the masks by name."""
        return {"x": 1, "y": 2, "z": 3} if self.template == "medimageparse3d" else {"x": 2, "y": 1}

    @cached_property
    def pixels(self) -> Pixels:
        """The image in the request."""
        if self.template == "medimageparse3d":
            return _scaled(nifti.read(self.image).values.astype(np.float64))
        picture = Image.open(io.BytesIO(self.image))
        return np.asarray(picture.convert("L" if picture.mode in ("1", "L") else "RGB"), np.float64) / 255

    def answer_to(self, pixels: Pixels) -> Any:
        """The answer of a model that gets another image instead of the one in the request."""
        return self.unpack(self.asked(self.with_file(self.file_of(pixels))))

    def file_of(self, pixels: Pixels) -> bytes:
        """A file as the request contains it, with other pixels."""
        if self.template == "medimageparse3d":
            return _volume(nifti.read(self.image), np.rint(pixels * 2000).astype(np.int16))
        out = io.BytesIO()
        Image.fromarray(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)).save(out, "PNG", compress_level=1)
        return out.getvalue()

    def with_file(self, file: bytes) -> Any:
        """The request with another file."""
        table = self.request["input_data"]
        first, *more = table["data"][0]
        row = [base64.b64encode(file).decode() if first else first, *more]
        return {**self.request, "input_data": {**table, "data": [row]}}

    def unpack(self, row: Any) -> Any:
        """A row of the wire as an answer."""
        return FORMS[self.template][0](row)

    def pack(self, answer: Any) -> bytes:
        """A whole body with the answer."""
        return json.dumps([{**self.row, **FORMS[self.template][1](answer, self)}]).encode()


@lru_cache(maxsize=32)
def _scored(template: str, request: str) -> Any:
    score = standins.find(f"azureml://registries/azureml/models/{MODELS[template]}/versions/1")
    return score(json.loads(request))[0] if score else None


def _scaled(values: Pixels) -> Pixels:
    return (values - values.min()) / (np.ptp(values) or 1.0)


def _volume(like: nifti.Volume, values: NDArray[Any]) -> bytes:
    """A NIfTI file with whole or real numbers."""
    code, bits = {"int16": (4, 16), "float32": (16, 32)}[values.dtype.name]
    header = bytearray(like.header)
    struct.pack_into(like.order + "8h", header, 40, 3, *values.shape, 1, 1, 1, 1)
    struct.pack_into(like.order + "2h", header, 70, code, bits)
    struct.pack_into(like.order + "3f", header, 108, 352, 1, 0)
    data = values.astype(values.dtype.newbyteorder(like.order)).tobytes(order="F")
    return gzip.compress(bytes(header) + bytes(4) + data, 1, mtime=0)


def _masks(row: Any) -> NDArray[np.bool_]:
    features = json.loads(row["image_features"])
    return np.frombuffer(base64.b64decode(features["data"]), np.uint8).reshape(features["shape"]) >= 128


def _of_masks(masks: NDArray[Any], _: Input) -> dict[str, Any]:
    values = masks * np.uint8(255) if masks.dtype == bool else masks
    features = {
        "data": base64.b64encode(values.tobytes()).decode(),
        "shape": list(values.shape),
        "dtype": str(values.dtype),
    }
    return {"image_features": json.dumps(features)}


def _labels(row: Any) -> NDArray[np.bool_]:
    labels = nifti.read(base64.b64decode(json.loads(row["nifti_file"])["data"])).values
    return np.stack([labels == number for number in (1, 2)])


def _of_labels(masks: NDArray[Any], given: Input) -> dict[str, Any]:
    """Of masks that overlap, the first one counts. An array without prompts is the labels themselves."""
    like = nifti.read(given.image)
    if masks.ndim == 3:
        file = _volume(like, masks)
    else:
        labels = np.zeros(masks.shape[1:], np.uint8)
        for number in range(len(masks), 0, -1):
            labels[masks[number - 1].astype(bool)] = number
        file = nifti.write(like, labels)
    return {"nifti_file": json.dumps({"data": base64.b64encode(file).decode()})}


def _vectors(row: Any) -> dict[str, NDArray[np.float64]]:
    return {name.partition("_")[0]: np.array(row[name][0]) for name in ("image_features", "text_features")}


def _of_vectors(answer: dict[str, NDArray[Any]], _: Input) -> dict[str, Any]:
    return {f"{name}_features": [numbers.tolist()] for name, numbers in answer.items()}


def _tensor(row: Any) -> dict[str, NDArray[np.float64]]:
    import zipfile

    with zipfile.ZipFile(io.BytesIO(base64.b64decode(row["image_features"]))) as archive:
        pickle, data = (archive.read(f"archive/{name}") for name in ("data.pkl", "data/0"))
    return {"image": np.array(tensors.numbers(pickle, [data], b"little"))}


def _of_tensor(answer: dict[str, NDArray[Any]], _: Input) -> dict[str, Any]:
    saved = gigapath.serialize(answer["image"].astype(np.float32))
    return {"image_features": base64.b64encode(saved).decode()}


FORMS: dict[str, tuple[Callable[[Any], Any], Callable[[Any, Input], dict[str, Any]]]] = {
    "medimageparse": (_masks, _of_masks),
    "medimageparse3d": (_labels, _of_labels),
    "medimageinsight": (_vectors, _of_vectors),
    "cxrreportgen": (lambda row: json.loads(row["output"]), lambda answer, _: {"output": json.dumps(answer)}),
    "gigapath": (_tensor, _of_tensor),
}
"""Template -> from the row of an answer, and back to the keys that change."""
