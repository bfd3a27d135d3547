"""How often the gate of a rollout goes back without a reason, and how soon it finds a worse release.

Simulates rollouts minute by minute (`benchmarks/rollouts/simulate.py`: stages of 10 % and 50 %, 15 minutes each) and
looks at each after every minute: cells in which the new deployment is not worse, cells in which it is, and bursts of
errors in one deployment. A fixed threshold on the error rate, tuned to the same number of false alarms, is compared.
Exit code 1 if a cell without a difference has more than 1 % false alarms, or a required difference is found too rarely.

.venv/bin/python benchmarks/gate.py [--rollouts 1000] [--write docs/gate.md]
"""

from __future__ import annotations

import argparse
import itertools
import math
import multiprocessing
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.rollouts import judge  # noqa: E402 from this checkout
from benchmarks.rollouts.simulate import Cell  # noqa: E402
from benchmarks.wrong_answers.table import write  # noqa: E402

BASES = (0.0, 0.001, 0.005, 0.02)
TRAFFIC = (0.2, 1.0, 5.0, 50.0)
SOME_TRAFFIC = (1.0, 50.0)
SCENARIO_TRAFFIC = {"constant": TRAFFIC, "trend": (5.0,), "bursts in both": (5.0,), "daily load": (5.0,)}
SAME = [Cell(base, rate, name) for name, rates in SCENARIO_TRAFFIC.items() for rate in rates for base in BASES]
AT_LIMIT = [
    Cell(base, rate, name, at_limit=True)
    for name in ("constant", "bursts in both")
    for rate in SOME_TRAFFIC
    for base in BASES
]
BURSTS = [
    Cell(0.005, rate, burst=slot, burst_minutes=minutes)
    for slot, minutes in itertools.product(("new", "live"), (1, 2, 5))
    for rate in SOME_TRAFFIC
]
WORSE = {
    "errors 0.5 → 5 %": [Cell(0.005, rate, new=0.05) for rate in TRAFFIC],
    "errors 0 → 20 %": [Cell(0.0, rate, new=0.2) for rate in TRAFFIC],
    "errors 0.5 → 2 %": [Cell(0.005, rate, new=0.02) for rate in TRAFFIC],
    "errors 0.5 → 5 %, bursts in both": [Cell(0.005, rate, "bursts in both", new=0.05) for rate in TRAFFIC],
    "errors 0.5 → 5 % from minute 15 on": [Cell(0.005, rate, new=0.05, since=15) for rate in TRAFFIC],
    "latency x 2": [Cell(0.005, rate, latency=2.0) for rate in TRAFFIC],
    "latency x 5": [Cell(0.005, rate, latency=5.0) for rate in TRAFFIC],
    "wrong cases 1 → 25 %": [Cell(0.005, rate, wrong=0.25) for rate in TRAFFIC],
}
REQUIRED = (Cell(0.005, 5.0, new=0.05), Cell(0.005, 5.0, latency=2.0))
"""Found within 15 minutes, with the delay of metrics, in at least 95 %."""
FIRST_SEED = 100_000
"""Other rollouts than those of the tests."""
BEGIN = "<!-- Written by benchmarks/gate.py --write -->"
Task = tuple[Cell, int]


@dataclass(frozen=True)
class Result:
    """The rollouts of a cell."""

    cell: Cell
    rollouts: list[judge.Judged]

    @property
    def gone_back(self) -> int:
        return sum(each.minute is not None for each in self.rollouts)

    def within(self, minutes: int) -> float:
        """The share of rollouts that go back within so many minutes, with the delay of metrics."""
        found = [each for each in self.rollouts if each.minute is not None]
        return sum(each.minute + 1 + judge.DELAY <= minutes for each in found) / len(self.rollouts)


def judged(task: Task) -> Result:
    """All rollouts of a cell, in a process of its own."""
    cell, number = task
    return Result(cell, [judge.judge(cell, FIRST_SEED + seed) for seed in range(number)])


def thresholds(same: Sequence[Result], alarms: int) -> dict[int, float]:
    """Minutes in a row -> the lowest threshold with at most so many false alarms in these rollouts."""
    found = {}
    for run in judge.RUNS:
        highest = sorted((judge.highest(r.errors, run) for each in same for r in each.rollouts), reverse=True)
        found[run] = highest[min(alarms, len(highest) - 1)]
    return found


def failed_with_rule(result: Result, rules: dict[int, float]) -> float:
    """Failed requests with the best of these fixed thresholds, on average."""
    return min(
        mean(judge.failed(r.rates, judge.decided(judge.above_since(r.errors, run, limit))) for r in result.rollouts)
        for run, limit in rules.items()
    )


def page(results: dict[Cell, Result]) -> list[str]:
    """The lines of the section of docs/gate.md."""
    return [*_same(results), *_at_limit(results), *_worse(results), *_failed(results), *_bursts(results)]


def _grid(results: dict[Cell, Result], cells: Sequence[Cell]) -> list[str]:
    """Rows of scenarios and traffic, columns of error rates: rollouts that went back."""
    lines = [f"| both | requests/s | {' | '.join(f'errors {100 * base:g} %' for base in BASES)} |", "|---" * 6 + "|"]
    for (scenario, rate), group in itertools.groupby(cells, lambda each: (each.scenario, each.per_second)):
        numbers = " | ".join(str(results[each].gone_back) for each in group)
        lines.append(f"| {scenario} | {rate:g} | {numbers} |")
    return [*lines, ""]


def _same(results: dict[Cell, Result]) -> list[str]:
    number = len(results[SAME[0]].rollouts)
    total = sum(results[each].gone_back for each in SAME)
    most = max(results[each].gone_back for each in SAME)
    head = (
        f"No difference: {len(SAME)} cells of {number:,} rollouts each. {total} of {number * len(SAME):,} go back, at "
        f"most {most} in a cell. Rollouts that go back:"
    )
    return [head, "", *_grid(results, SAME)]


def _at_limit(results: dict[Cell, Result]) -> list[str]:
    number = len(results[AT_LIMIT[0]].rollouts)
    head = f"As bad as the rules allow, in errors and in latency, in every minute. Rollouts of {number:,} that go back:"
    return [head, "", *_grid(results, AT_LIMIT)]


def _worse(results: dict[Cell, Result]) -> list[str]:
    number = len(results[WORSE["latency x 5"][0]].rollouts)
    required = len(results[REQUIRED[0]].rollouts)
    lines = [
        (
            f"Worse from the start, unless another minute is given: {number:,} rollouts each, and {required:,} of "
            "errors 0.5 → 5 % and of latency x 2 at 5 requests/s, of which 95 % must be found. Found within 15 min, "
            f"within 30 minutes, and the minutes until half are found; the {judge.DELAY} minutes until metrics are "
            "known are included:"
        ),
        "",
        f"| new deployment | {' | '.join(f'{rate:g} requests/s' for rate in TRAFFIC)} |",
        "|---" * (len(TRAFFIC) + 1) + "|",
    ]
    for name, cells in WORSE.items():
        lines.append(f"| {name} | {' | '.join(_found(results[each]) for each in cells)} |")
    return [*lines, ""]


def _found(result: Result) -> str:
    middle = median(math.inf if r.minute is None else r.minute + 1 + judge.DELAY for r in result.rollouts)
    time_of_half = "-" if math.isinf(middle) or middle > judge.LENGTH else f"{middle:g} min"
    return f"{result.within(15):.1%}, {result.within(judge.LENGTH):.1%}, {time_of_half}"


def _failed(results: dict[Cell, Result]) -> list[str]:
    same = [results[each] for each in SAME]
    calm = {rate: [r for r in same if r.cell.per_second == rate and r.cell.scenario == "constant"] for rate in TRAFFIC}
    everywhere = thresholds(same, sum(each.gone_back for each in same))
    there = {rate: thresholds(each, sum(r.gone_back for r in each)) for rate, each in calm.items()}
    limits = ", ".join(f"{limit:.0%} for {run} min" for run, limit in everywhere.items())
    lines = [
        (
            "Failed requests of users in the 30 minutes, on average: with the gate; with a fixed threshold of the "
            "error rate of the new deployment; and if all traffic moves at once and nothing is judged. The threshold "
            "must be exceeded for 1, 2, 3 or 5 minutes in a row, the best of them is shown. It is tuned to as many "
            f"false alarms as the gate has: in all cells without a difference ({limits}), or only in those with the "
            "same constant traffic."
        ),
        "",
        "| new deployment | requests/s | gate | threshold, all cells | threshold, constant traffic | all at once |",
        "|---" * 6 + "|",
    ]
    for name, cells in WORSE.items():
        for result in (results[each] for each in cells if name.startswith("errors")):
            numbers = [
                mean(judge.failed(r.rates, judge.decided(r.minute)) for r in result.rollouts),
                failed_with_rule(result, everywhere),
                failed_with_rule(result, there[result.cell.per_second]),
                mean(judge.failed_at_once(r.rates) for r in result.rollouts),
            ]
            lines.append(f"| {name} | {result.cell.per_second:g} | {' | '.join(f'{n:,.0f}' for n in numbers)} |")
    return [*lines, ""]


def _bursts(results: dict[Cell, Result]) -> list[str]:
    lines = [
        (
            "A burst of 20 % errors in one deployment only, at a random minute; otherwise no difference, errors 0.5 %. "
            "Share of rollouts that go back:"
        ),
        "",
        f"| burst | {' | '.join(f'{rate:g} requests/s' for rate in SOME_TRAFFIC)} |",
        "|---" * (len(SOME_TRAFFIC) + 1) + "|",
    ]
    for (slot, minutes), group in itertools.groupby(BURSTS, lambda each: (each.burst, each.burst_minutes)):
        shares = " | ".join(f"{results[each].gone_back / len(results[each].rollouts):.1%}" for each in group)
        lines.append(f"| {slot}, {minutes} min | {shares} |")
    return [*lines, ""]


def judge_all(pool: Any, tasks: Sequence[Task]) -> dict[Cell, Result]:
    """Cell -> its rollouts; prints each cell."""
    results = {}
    for result in pool.imap(judged, tasks):
        results[result.cell] = result
        print(f"{result.gone_back:5} of {len(result.rollouts)} go back: {result.cell}", flush=True)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--rollouts",
        type=int,
        default=1000,
        help="Rollouts of a cell without a difference, or with a required one; a quarter of it for others.",
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", type=Path, metavar="FILE", help="Write the tables into this page.")
    options = parser.parse_args()
    started = time.monotonic()
    important = (*SAME, *REQUIRED)
    others = [cell for cell in (*itertools.chain(*WORSE.values()), *AT_LIMIT, *BURSTS) if cell not in REQUIRED]
    tasks = [(cell, options.rollouts) for cell in important]
    tasks += [(cell, max(1, options.rollouts // 4)) for cell in others]
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        results = judge_all(pool, tasks)
    lines = page(results)
    print("\n".join(("", *lines, f"{time.monotonic() - started:.0f} s")))
    if options.write:
        write(options.write, lines, BEGIN)
    rare = max(results[each].gone_back for each in SAME) <= 0.01 * options.rollouts
    return 0 if rare and all(results[each].within(15) >= 0.95 for each in REQUIRED) else 1


if __name__ == "__main__":
    sys.exit(main())
