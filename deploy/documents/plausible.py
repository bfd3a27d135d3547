"""The part of `probe` that states which answers to the sample are plausible, without an expected answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, Strict

from deploy.documents.fields import Document, Flag, Whole


def _ascending(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("must be [smallest, largest]")
    return pair


Share = Annotated[float, Strict(), Field(ge=0, le=1, allow_inf_nan=False)]
"""A share, from 0 to 1."""
Shares = Annotated[tuple[Share, Share], AfterValidator(_ascending)]
Counts = Annotated[tuple[Annotated[Whole, Field(ge=0)], Annotated[Whole, Field(ge=0)]], AfterValidator(_ascending)]


class MaskRange(Document):
    """The plausible range of one mask."""

    area: Shares = Field(
        default=(0.0001, 0.95),
        description="Smallest and largest share of the image or volume that the mask covers.",
        examples=[[0.01, 0.3]],
    )
    components: Counts = Field(
        default=(1, 100),
        description="Fewest and most connected parts; those below 1 % of the mask are not counted.",
        examples=[[1, 3]],
    )
    outline: float = Field(
        default=30.0,
        gt=0,
        le=1000,
        description="Longest edge in relation to a square of the same area: a square has 1, a thin vessel 10.",
        examples=[30],
    )


class Plausible(Document):
    """Which answers to the sample are plausible. The ranges are wide: they find a broken model, not a worse one."""

    masks: dict[str, MaskRange] = Field(
        default_factory=dict,
        description="Prompt -> the range of its mask. A prompt that is not listed has the default range.",
        examples=[{"left lung": {"area": [0.01, 0.3], "components": [1, 3]}}],
    )
    sides: Literal["unchecked", "radiological", "image"] = Field(
        default="unchecked",
        description=(
            "Where the mask of a prompt with `left` lies beside that of the same prompt with `right`: radiological: to "
            "the patient's left, which is on the right of an image; image: on the left of the image."
        ),
    )
    alike: Share = Field(
        default=0.95,
        description="Largest overlap (IoU) of the masks of two prompts, and of the boxes of all findings.",
    )
    empty: Flag = Field(default=False, description="Whether a mask may be empty or cover the whole image.")
