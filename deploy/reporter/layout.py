"""Words on lines: width, colour, plain ASCII. Knows how to set text, not what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from unicodedata import combining, east_asian_width

from deploy.errors import sanitize


class Style(StrEnum):
    """How a piece of text is painted; the value is the ANSI code."""

    PLAIN = ""
    BOLD = "1"
    DIM = "2"
    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    BLUE = "34"
    MAGENTA = "35"
    CYAN = "36"
    GOOD = "1;32"
    BAD = "1;31"


Span = tuple[str, Style]
_GLUE = re.compile(r"(?<=\d) (?=(?:%|x|ms|s|min|h)(?!\w))")
"""The space between a number and its unit, where no line ends."""
_MARGIN = 2
"""Column where a plan's signs stand."""
_ASCII = str.maketrans(
    {"×": "x", "→": "->", "…": "...", "−": "-", "–": "-", "—": "-", "·": "-", "‘": "'", "’": "'", "“": '"', "”": '"'}
    | {"⇄": "%", "»": ">", "✓": "*", "✗": "!", "↩": "<", "↪": ">", "●": "*"}
)


def cells(text: str) -> int:
    """Columns that the text takes on a terminal."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


@dataclass(frozen=True)
class Ink:
    """How to write: columns, colour or none, ASCII only or not."""

    width: int = 80
    colour: bool = False
    ascii: bool = False

    def clean(self, text: str) -> str:
        """One line of safe text. No word of it can start a workflow command, since any word may start a line."""
        text = " ".join(sanitize(text).split()).encode("utf-8", "replace").decode()
        text = re.sub(r"(?<!\S):(?=:)", "∶", text).replace("##[", "# #[").replace("##vso[", "# #vso[")
        if self.ascii:
            text = text.translate(_ASCII).encode("ascii", "backslashreplace").decode()
        return text

    def paint(self, text: str, style: Style = Style.PLAIN) -> str:
        """The text in a style, or as it is when colour is off."""
        return f"\x1b[{style.value}m{text}\x1b[0m" if self.colour and style and text else text

    def line(self, text: str, style: Style = Style.PLAIN, *, indent: int = 0, hang: int | None = None) -> list[str]:
        """A paragraph: first line at `indent`, the others at `hang`; a word without room there stands further left."""
        placed = self._placed(text, indent, indent if hang is None else hang)
        return [" " * at + self.paint(words, style) for at, words in placed]

    def row(self, lead: Span, name: str, text: str, style: Style = Style.PLAIN, *, column: int) -> list[str]:
        """A lead and a name, then text: beside the name at `column`, or right after it where it fits, else below."""
        margin = cells(lead[0])
        (_, first), *others = self._placed(name, margin, margin + 2) or [(margin, "")]
        names = [(self.paint(*lead) + first).rstrip(), *(" " * at + words for at, words in others)]
        taken = others[-1][0] + cells(others[-1][1]) if others else margin + cells(first)
        placed = self._placed(text, column, column)
        if placed and taken + 2 <= column == placed[0][0]:
            names[-1] += " " * (column - taken) + self.paint(placed.pop(0)[1], style)
        elif placed and taken + 2 + cells(self.clean(text)) <= self.width:
            names[-1] += "  " + self.paint(self.clean(text), style)
            placed = []
        return names + [" " * at + self.paint(words, style) for at, words in placed]

    def flow(self, parts: Sequence[Span], *, indent: int) -> list[str]:
        """Parts beside each other, broken where the width ends; a part that is too long for a line is a paragraph."""
        lines: list[str] = []
        taken = self.width
        for text, style in ((self.clean(text), style) for text, style in parts):
            if text and taken + 2 + cells(text) <= self.width:
                lines[-1] += "  " + self.paint(text, style)
                taken += 2 + cells(text)
            elif text:
                lines += self.line(text, style, indent=indent, hang=indent + 2)
                taken = indent + cells(text)
        return lines

    def _placed(self, text: str, indent: int, hang: int) -> list[tuple[int, str]]:
        """Lines, each with its column: a word that is too long stands alone, at the margin or where the page begins."""
        lines = enumerate(self._fill(self.clean(text), self.width - indent, self.width - hang))
        columns = ((hang if n else indent, words) for n, words in lines)
        return [(self._column(at, cells(words)), words) for at, words in columns]

    def _column(self, wanted: int, taken: int) -> int:
        return next((at for at in (wanted, min(wanted, _MARGIN)) if at + taken <= self.width), 0)

    def _fill(self, text: str, first: int, rest: int) -> Iterator[str]:
        line, room = "", first
        for word in _GLUE.sub("\u00a0", text).split(" "):
            longer = f"{line} {word}" if line else word
            if line and cells(longer) > room:
                yield line.replace("\u00a0", " ")
                line, room = word, rest
            else:
                line = longer
        if line:
            yield line.replace("\u00a0", " ")
