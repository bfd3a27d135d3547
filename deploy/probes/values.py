"""The values of an answer, in one form for all probe types: the plausibility checks and the metrics read these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.probes.regions import Region

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True)
class Finding:
    """A sentence and its boxes, in pixels of the image that was sent."""

    text: str
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True)
class Values:
    """What an answer contains; a part that the probe type does not have is empty.

    `regions`: a mask for each prompt. `vectors`: name -> numbers; the first is that of the image. `content`: the JSON
    value of the body, or its text, for the type `http`. `size`: of the image that was sent, in pixels.
    """

    regions: tuple[Region, ...] = ()
    findings: tuple[Finding, ...] = ()
    vectors: Mapping[str, list[float]] = field(default_factory=dict)
    content: Any = None
    size: tuple[int, int] = (0, 0)

    @property
    def text(self) -> str:
        """All sentences, or the content if it is text."""
        if self.findings:
            return " ".join(finding.text for finding in self.findings)
        return self.content if isinstance(self.content, str) else ""
