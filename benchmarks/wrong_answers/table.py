"""The results of `benchmarks/regressions.py` as Markdown, and their place in a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.wrong_answers.kinds import EMBEDDING, REPORTING, SEGMENTING

BEGIN, END = "<!-- Written by benchmarks/regressions.py --write -->", "<!-- End -->"


@dataclass(frozen=True)
class Row:
    """The result of one kind for one template: seeds, how many different answers they gave, and how many were found.

    `words`: about one that was found.
    """

    kind: str
    template: str
    seeds: int
    different: int
    by_plausibility: int
    caught: int
    words: str


def share(rows: Sequence[Row], column: str) -> float:
    """The share of all answers that were found, from 0 to 1; `column`: of `Row`."""
    return sum(getattr(row, column) for row in rows) / max(1, sum(row.seeds for row in rows))


def page(wrong: Sequence[Row], fine: Sequence[Row]) -> list[str]:
    """The lines of the section."""
    kinds, judged = len({row.kind for row in wrong}), sum(row.seeds for row in wrong)
    harmless = ", ".join(dict.fromkeys(_words(row.kind) for row in fine))
    runs, others, failed = (sum(getattr(row, name) for row in fine) for name in ("seeds", "different", "caught"))
    different = sum(row.different for row in wrong)
    found = f"{share(wrong, 'caught'):.2%} are found, {share(wrong, 'by_plausibility'):.1%} by plausibility alone"
    lines = [
        f"- {judged:,} wrong answers of {kinds} kinds, {different:,} of them different: {found}.",
        f"- {runs:,} harmless changes ({harmless}), {others:,} of them different: {failed} fail.",
        "",
        "Share that plausibility finds, and share that is found with the cases:",
        "",
    ]
    for title, group in (("masks", SEGMENTING), ("vectors", EMBEDDING), ("reports", REPORTING)):
        if rows := [row for row in wrong if row.template in group]:
            lines += _table(title, group, rows)
    return lines


def _table(title: str, group: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """A row for each kind; a cell has the shares that plausibility finds, and both together."""
    by_place = {(row.kind, row.template): row for row in rows}
    lines = [f"| {title} | {' | '.join(f'`{name}`' for name in group)} |"]
    lines.append("|---" * (len(group) + 1) + "|")
    for kind in dict.fromkeys(row.kind for row in rows):
        cells = [_cell(by_place.get((kind, name))) for name in group]
        lines.append(f"| {_words(kind)} | {' | '.join(cells)} |")
    return [*lines, ""]


def _cell(row: Row | None) -> str:
    return f"{row.by_plausibility / row.seeds:.0%}, {row.caught / row.seeds:.0%}" if row else ""


def _words(kind: str) -> str:
    return kind.replace("_", " ")


def write(file: Path, lines: Sequence[str], begin: str = BEGIN) -> None:
    """Replace what is between the two marks."""
    before, _, rest = file.read_text(encoding="utf-8").partition(begin)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{file} has no lines '{begin}' and '{END}'")
    file.write_text("\n".join((before + begin, "", *lines)) + END + after, encoding="utf-8")
