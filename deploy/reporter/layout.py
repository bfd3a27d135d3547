"""Layout of text on a terminal: line width, colour, plain ASCII."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from unicodedata import combining, east_asian_width

from deploy.sanitize import sanitize


class Style(StrEnum):
    """Style of a piece of text; the value is the ANSI code."""

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
"""The space between a number and its unit. Lines do not break there."""
_MARGIN = 2
"""Column of the symbols of a plan."""
_ASCII = str.maketrans(
    {"×": "x", "→": "->", "…": "...", "−": "-", "–": "-", "—": "-", "·": "-", "‘": "'", "’": "'", "“": '"', "”": '"'}
    | {"⇄": "%", "»": ">", "◇": "=", "✓": "*", "✗": "!", "↩": "<", "↪": ">", "●": "*"}
)


def cells(text: str) -> int:
    """Width of the text on a terminal, in columns."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


@dataclass(frozen=True)
class Layout:
    """Sets text for a terminal of `width` columns, with or without colour, in ASCII only or not."""

    width: int = 80
    colour: bool = False
    ascii: bool = False

    def clean(self, text: str) -> str:
        """One line of safe text. No word of it starts a workflow command, because a line can start with any word."""
        text = " ".join(sanitize(text).split()).encode("utf-8", "replace").decode()
        text = re.sub(r"(?<!\S):(?=:)", "∶", text).replace("##[", "# #[").replace("##vso[", "# #vso[")
        if self.ascii:
            text = text.translate(_ASCII).encode("ascii", "backslashreplace").decode()
        return text

    def paint(self, text: str, style: Style = Style.PLAIN) -> str:
        """The text in a style, or unchanged if colour is off."""
        return f"\x1b[{style.value}m{text}\x1b[0m" if self.colour and style and text else text

    def line(self, text: str, style: Style = Style.PLAIN, *, indent: int = 0, hang: int | None = None) -> list[str]:
        """A paragraph: first line at `indent`, the others at `hang`; a word that is too long starts further left."""
        placed = self._placed(text, indent, indent if hang is None else hang)
        return [" " * at + self.paint(words, style) for at, words in placed]

    def lines(
        self, texts: Iterable[str], style: Style = Style.PLAIN, *, indent: int = 0, hang: int | None = None
    ) -> list[str]:
        """A paragraph for each text, without blank lines between them."""
        return [line for text in texts for line in self.line(text, style, indent=indent, hang=hang)]

    def row(self, lead: Span, name: str, text: str, style: Style = Style.PLAIN, *, column: int) -> list[str]:
        """A lead and a name, then text: on the same line if it fits, at `column` or after the name; else below."""
        margin = cells(lead[0])
        (_, first), *others = self._placed(name, margin, margin + 2) or [(margin, "")]
        names = [(self.paint(*lead) + first).rstrip(), *(" " * at + words for at, words in others)]
        used = others[-1][0] + cells(others[-1][1]) if others else margin + cells(first)
        placed = self._placed(text, column, column)
        if placed and used + 2 <= column == placed[0][0]:
            names[-1] += " " * (column - used) + self.paint(placed.pop(0)[1], style)
        elif placed and used + 2 + cells(self.clean(text)) <= self.width:
            names[-1] += "  " + self.paint(self.clean(text), style)
            placed = []
        return names + [" " * at + self.paint(words, style) for at, words in placed]

    def flow(self, parts: Sequence[Span], *, indent: int) -> list[str]:
        """Parts side by side, wrapped at the width; a part that is too long for a line is a paragraph."""
        lines: list[str] = []
        used = self.width
        for text, style in ((self.clean(text), style) for text, style in parts):
            if text and used + 2 + cells(text) <= self.width:
                lines[-1] += "  " + self.paint(text, style)
                used += 2 + cells(text)
            elif text:
                lines += self.line(text, style, indent=indent, hang=indent + 2)
                used = indent + cells(text)
        return lines

    def _placed(self, text: str, indent: int, hang: int) -> list[tuple[int, str]]:
        """(column, text) of each line. A word that is too long has its own line, at the margin or at column 0."""
        lines = enumerate(self._fill(self.clean(text), self.width - indent, self.width - hang))
        columns = ((hang if n else indent, words) for n, words in lines)
        return [(self._column(at, cells(words)), words) for at, words in columns]

    def _column(self, desired: int, size: int) -> int:
        return next((at for at in (desired, min(desired, _MARGIN)) if at + size <= self.width), 0)

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
