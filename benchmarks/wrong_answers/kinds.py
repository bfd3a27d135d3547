"""What a kind of regression is, and all of them."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.wrong_answers.inputs import Input

Change = Callable[[Input, np.random.Generator], Any]
"""The wrong answer in place of `Input.answer`, in the same form; or bytes, the whole body."""
SEGMENTING = ("medimageparse", "medimageparse3d")
EMBEDDING = ("medimageinsight", "gigapath")
REPORTING = ("cxrreportgen",)
ALL = (*SEGMENTING, *EMBEDDING, *REPORTING)
SECONDS = 0.5
"""The response time of the live deployment, and of most wrong ones."""


@dataclass(frozen=True)
class Kind:
    """A change of a model's answers, for some templates. It is the same for all inputs with one seed."""

    name: str
    templates: tuple[str, ...]
    change: Change
    seconds: float = SECONDS

    def body(self, given: Input, seed: int) -> tuple[bytes, bool]:
        """The answer on the wire, and whether random numbers were drawn for it."""
        rng = np.random.default_rng((zlib.crc32(self.name.encode()), seed))
        begun = rng.bit_generator.state
        changed = self.change(given, rng)
        return changed if isinstance(changed, bytes) else given.pack(changed), rng.bit_generator.state != begun


def kind(templates: tuple[str, ...], into: list[Kind]) -> Callable[[Change], Change]:
    """Adds a function to a list of kinds, under the function's name."""

    def add(change: Change) -> Change:
        into.append(Kind(change.__name__, templates, change))
        return change

    return add
