"""The cases of a probe as a table: each metric of the deployment that was probed beside that of the live one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from deploy.domain.arm import Json
from deploy.domain.report import Report
from deploy.sanitize import sanitize

_HEAD = ("case", "metric", "probed", "live", "difference", "result")


def case_table(report: Report) -> str:
    """A table for each endpoint whose probe has cases; empty without one."""
    blocks = []
    for outcome in report.outcomes:
        rows = [row for case in outcome.evidence.data.get("cases") or () for row in _rows(case)]
        if rows:
            blocks.append("\n".join([f"Cases of {outcome.address}", *_aligned([_HEAD, *rows])]) + "\n")
    return "\n".join(blocks)


def _rows(case: Mapping[str, Json]) -> Iterator[tuple[str, ...]]:
    result = "ok" if case["ok"] and not case["accepted"] else "accepted" if case["ok"] else "failed"
    low, high = case["seconds"]
    name = sanitize(str(case["name"]))
    for metric, values in case["metrics"].items():
        live = values.get("live")
        yield (
            name,
            metric,
            _range(values["value"], values["highest"]),
            "-" if live is None else f"{live:.3f}",
            "-" if live is None else f"{values['value'] - live:+.3f}",
            result,
        )
        name = result = ""
    before = case.get("live_seconds")
    yield name, "seconds", _range(low, high), _range(*before) if before else "-", "-", result


def _range(low: float, high: float) -> str:
    """`0.912`, or `0.901..0.912` for a value that differs between repetitions."""
    return f"{low:.3f}" if f"{low:.3f}" == f"{high:.3f}" else f"{low:.3f}..{high:.3f}"


def _aligned(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEAD))]
    for row in rows:
        yield "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
