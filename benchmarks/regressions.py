"""Whether the probes of the medical templates find wrong answers of a model before it gets traffic.

Every kind of regression in `benchmarks/wrong_answers` is judged with `--seeds` seeds for each of its templates, with
what the templates ship: first by the plausibility of the sample alone, then also by the cases. Then harmless changes
are judged, of which none may fail. With `--apply`, one seed of each kind is also the answer of a new release that
`amldeploy apply` deploys to an emulator. Exit code 1 below the target, after a harmless change that fails, and if such
an apply does not end with exit code 5 before any traffic.

.venv/bin/python benchmarks/regressions.py [--seeds 40] [--kinds NAME ...] [--apply] [--write docs/cases.md]
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.wrong_answers import any_answer, harmless, masks, reports, table, vectors  # noqa: E402 from this checkout
from benchmarks.wrong_answers.inputs import Input  # noqa: E402
from benchmarks.wrong_answers.kinds import ALL, Kind  # noqa: E402
from benchmarks.wrong_answers.table import Row  # noqa: E402
from benchmarks.wrong_answers.templates import Verdict, template  # noqa: E402

REGRESSIONS = (*any_answer.KINDS, *masks.KINDS, *vectors.KINDS, *reports.KINDS)
TARGET = 0.99
MORE_HARMLESS = 3
"""Seeds of each harmless change, in addition to those of a regression."""


@dataclass(frozen=True)
class Work:
    """A kind for a template, in a process of its own."""

    kind: Kind
    template: str
    seeds: int


def judged(work: Work) -> Row:
    """Judge all seeds of a kind."""
    found: list[Verdict] = []
    digests = set()
    for seed in range(work.seeds):
        verdict, digest, is_drawn = judged_seed(work, seed)
        found.append(verdict)
        digests.add(digest)
        if not is_drawn:  # the same for every seed
            found *= work.seeds
            break
    words = next((each.by_plausibility or each.by_cases for each in found if each.caught), "")
    plausible = sum(bool(each.by_plausibility) for each in found)
    caught = sum(each.caught for each in found)
    return Row(work.kind.name, work.template, len(found), len(digests), plausible, caught, words)


def judged_seed(work: Work, seed: int) -> tuple[Verdict, str, bool]:
    """The verdict about a seed, a digest of the answers, and whether random numbers were drawn for them."""
    bodies: list[tuple[bytes, bool]] = []

    def answer(given: Input) -> bytes:
        bodies.append(work.kind.body(given, seed))
        return bodies[-1][0]

    verdict = template(work.template).judge(answer, work.kind.seconds)
    digest = hashlib.sha256(b"".join(body for body, _ in bodies)).hexdigest()
    return verdict, digest, any(is_drawn for _, is_drawn in bodies)


def works(kinds: Sequence[Kind], seeds: int, names: Sequence[str] = ()) -> list[Work]:
    """The kinds of these names, or all; those of one template follow each other."""
    chosen = [each for each in kinds if not names or each.name in names]
    return [Work(each, name, seeds) for name in ALL for each in chosen if name in each.templates]


def named(name: str, template_name: str) -> Kind:
    """A kind by its name and one of its templates."""
    every = (*REGRESSIONS, *harmless.KINDS)
    return next(each for each in every if each.name == name and template_name in each.templates)


Task = tuple[str, str, int]
"""A `Work` for another process: the functions of kinds cannot be sent to it."""


def judged_task(task: Task) -> Row:
    """`judged`."""
    name, template_name, seeds = task
    return judged(Work(named(name, template_name), template_name, seeds))


def applied(task: Task) -> tuple[str, str, str]:
    """Kind, template, and the problem of an apply whose answers are wrong."""
    from benchmarks.wrong_answers.command_line import problem_of_apply

    return *task[:2], problem_of_apply(named(*task[:2]), task[1], task[2])


def judge_all(pool: Any, todo: Sequence[Work]) -> list[Row]:
    """The rows in their order; prints each."""
    rows = []
    for row in pool.imap(judged_task, [(w.kind.name, w.template, w.seeds) for w in todo]):
        print(
            f"{row.template:16} {row.kind:28} {row.by_plausibility:3} {row.caught:3} / {row.seeds} {row.words[:90]}",
            flush=True,
        )
        rows.append(row)
    return rows


def apply_all(pool: Any, kinds: Sequence[Kind]) -> bool:
    """Apply one seed of each kind; returns whether each was refused before any traffic."""
    tasks = [(each.name, each.templates[0], 0) for each in kinds]
    problems = 0
    for name, template_name, problem in pool.imap_unordered(applied, tasks):
        print(f"apply {template_name:16} {name:28} {problem or 'refused, exit code 5'}", flush=True)
        problems += bool(problem)
    print(f"\n{len(tasks) - problems} of {len(tasks)} releases with wrong answers were refused before any traffic.")
    return not problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=40, help="Seeds of each kind for each of its templates.")
    parser.add_argument("--kinds", nargs="*", default=(), help="Only these.")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--apply", action="store_true", help="Also apply one seed of each kind to an emulator.")
    parser.add_argument("--only-apply", action="store_true", help="Judge nothing in this process.")
    parser.add_argument("--write", type=Path, metavar="FILE", help="Write the table into this page.")
    options = parser.parse_args()
    chosen = [each for each in REGRESSIONS if not options.kinds or each.name in options.kinds]
    good = True
    # Not forked: a process has its own folders of templates.
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        if not options.only_apply:
            wrong = judge_all(pool, works(REGRESSIONS, options.seeds, options.kinds))
            fine = judge_all(pool, works(harmless.KINDS, options.seeds + MORE_HARMLESS, options.kinds))
            lines = table.page(wrong, fine)
            print("\n".join(("", *lines)))
            if options.write:
                table.write(options.write, lines)
            good = table.share(wrong, "caught") >= TARGET and not any(row.caught for row in fine)
        if options.apply or options.only_apply:
            good &= apply_all(pool, chosen)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
