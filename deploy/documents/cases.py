"""The pydantic models of case files: inputs of a model, and the answers that it must give."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, Strict, model_validator

from deploy.documents.fields import Document, Duration, Flag, Whole
from deploy.documents.plausible import Plausible, Share

Metric = Literal["dice", "iou", "cosine", "distance", "box_f1", "sentence_f1", "label", "token_f1", "json"]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Value = Annotated[float, Strict(), Field(ge=-1, le=1, allow_inf_nan=False)]
"""A value of a metric: 1 is the best one of all of them."""
BoxInPixels = tuple[Number, Number, Number, Number]


class ExpectedFinding(Document):
    """A sentence of a report, and its boxes."""

    text: str = Field(min_length=1, description="The sentence.", examples=["The heart is enlarged."])
    boxes: tuple[BoxInPixels, ...] = Field(
        default=(), description="Left, top, right, bottom in pixels of the image.", examples=[[[120, 80, 360, 420]]]
    )


class Expected(Document):
    """The expected answer. Set the key that fits the type of the probe. Paths are relative to the case file."""

    masks: str | dict[str, str] | None = Field(
        default=None,
        description=(
            "PNG, NPZ or NIfTI file with the masks: the number n is the mask of the n-th prompt. Or prompt -> a file, "
            "in which every number except 0 is the mask."
        ),
        examples=["phantom-masks.png"],
    )
    findings: tuple[ExpectedFinding, ...] | None = Field(
        default=None,
        min_length=1,
        description="The sentences of a report, with their boxes.",
        examples=[[{"text": "The heart is enlarged.", "boxes": [[120, 80, 360, 420]]}]],
    )
    vector: str | None = Field(
        default=None,
        min_length=1,
        description="JSON file with a list of numbers: the vector of the image.",
        examples=["tile-vector.json"],
    )
    label: str | None = Field(
        default=None,
        min_length=1,
        description="The one of `labels` with the text vector that must be nearest to the vector of the image.",
        examples=["x-ray chest posteroanterior Pneumonia."],
    )
    labels: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(),
        max_length=100,
        description="The texts to choose from; each is one request.",
        examples=[["x-ray chest posteroanterior Pneumonia.", "x-ray chest posteroanterior No Finding."]],
    )
    text: str | None = Field(default=None, min_length=1, description="The expected text.", examples=["setosa"])
    answer: dict[str, Any] | list[Any] | str | None = Field(
        default=None,
        description="The expected JSON, or a JSON file. Keys that it does not have are ignored in the answer.",
        examples=[{"species": "setosa"}],
    )

    @model_validator(mode="after")
    def _is_one(self) -> Expected:
        kinds = (self.masks, self.findings, self.vector, self.label, self.text, self.answer)
        if sum(kind is not None for kind in kinds) != 1:
            raise ValueError("must have exactly one of masks, findings, vector, label, text and answer")
        if self.label is not None and (self.label not in self.labels or len(set(self.labels)) < 2):
            raise ValueError("must have two or more different labels, with label as one of them")
        return self


class Waiver(Document):
    """Why a failure of the case is accepted, and until when. After that day it fails again."""

    reason: str = Field(min_length=1, max_length=300, description="Shown in plans and reports.", examples=["Ticket 7"])
    until: Annotated[date, Field(strict=False)] = Field(
        description="Last day, in UTC.", examples=["2027-03-31"], json_schema_extra={"format": "date"}
    )


class Recorded(Document):
    """Written by `amldeploy probe --record`: the expected answer is one that a release gave."""

    release: str = Field(min_length=1, description="The release that gave it.", examples=["e5ec3d06d88c"])
    date: str = Field(min_length=1, description="When, in UTC.", examples=["2026-11-30"])


class Case(Document):
    """An input, and what its answer must be. Without `expect`, the answer must only be plausible."""

    image: str | None = Field(
        default=None,
        min_length=1,
        description="PNG, JPEG, DICOM or NIfTI file. Default: that of the probe.",
        examples=["phantom.png"],
    )
    text: str | None = Field(
        default=None, description="Text or prompts. Default: those of the probe.", examples=["left lung & right lung"]
    )
    body: str | None = Field(
        default=None, min_length=1, description="JSON file with the request (type http).", examples=["request.json"]
    )
    expect: Expected | None = Field(
        default=None, description="The expected answer.", examples=[{"masks": "phantom-masks.png"}]
    )
    floors: dict[Metric, Value] = Field(
        default_factory=dict,
        description="Metric -> the smallest value that passes. Default: the metrics for the expected answer.",
        examples=[{"dice": 0.9}],
    )
    margin: Share = Field(
        default=0.05, description="How far a value may be below that of the live deployment for the same input."
    )
    box_overlap: Share = Field(default=0.5, description="Overlap (IoU) from which two boxes count as the same one.")
    tolerance: Annotated[float, Strict(), Field(ge=0, le=1e9, allow_inf_nan=False)] = Field(
        default=0.001, description="json: difference of two numbers that counts as equal; above 1, in shares of it."
    )
    plausible: Plausible = Field(
        default=Plausible(),
        description="Without `expect`: which answers are plausible.",
        examples=[{"sides": "radiological"}],
    )
    repeat: Whole = Field(default=1, ge=1, le=20, description="How often it is asked; the worst answer decides.")
    max_seconds: Duration | None = Field(
        default=None, description="Longest response time that passes: 2s, 1m.", examples=["2s"]
    )
    max_slowdown: Annotated[float, Strict(), Field(ge=1, le=1000, allow_inf_nan=False)] = Field(
        default=1.5,
        description="How many times as long as that of the live deployment its response may take. Only if all cases of "
        "the probe take longer, by 0.25 s or more, is the deployment too slow.",
    )
    synthetic: Flag = Field(
        default=False, description="Whether the input shows no person, so that reports may contain its pictures."
    )
    accept: Waiver | None = Field(
        default=None,
        description="Accept a failure for some time.",
        examples=[{"reason": "Known weakness, ticket 7", "until": "2027-03-31"}],
    )
    recorded: Recorded | None = Field(
        default=None,
        description="Set by `amldeploy probe --record`.",
        examples=[{"release": "e5ec3d06d88c", "date": "2026-11-30"}],
    )


class CaseTable(Document):
    """Many cases in one file."""

    cases: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")], Case] = Field(
        min_length=1, description="Name -> case.", examples=[{"phantom": {"image": "phantom.png"}}]
    )
