"""Play random schedules of several runs at once for some minutes (`tests.interleaving`), on all processors.

Prints schedules per second, the seeds that were played, and each schedule that broke a promise (also at once, on
stderr), with its text, which `--play` plays again. Exit code 1 if there is one.

.venv/bin/python benchmarks/schedules.py [--minutes 10] [--seed 0] [--modes blob,arm,off] [--processes 2]
.venv/bin/python benchmarks/schedules.py --play "blob two apply-3+rollback 0@7>1"
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.interleaving import client  # noqa: E402 import from this checkout
from tests.interleaving.oracle import Oracle  # noqa: E402
from tests.interleaving.player import open_player  # noqa: E402
from tests.interleaving.schedules import MODES, Schedule, drawn, parse  # noqa: E402


@dataclass(frozen=True)
class Work:
    """The schedules of one process: each `step`-th seed from `seed`, until `until`; or one text."""

    modes: tuple[str, ...]
    seed: int
    step: int
    until: float
    text: str = ""

    def schedules(self, mode: str) -> Iterator[Schedule]:
        """Those of one mode."""
        if self.text:
            yield parse(self.text)
            return
        seed = self.seed
        while time.time() < self.until:
            yield drawn(seed, [mode])
            seed += self.step


def play(work: Work) -> dict[str, Any]:
    """Play one process's schedules, mode after mode."""
    total: dict[str, Any] = {
        "played": 0,
        "switches": 0,
        "client": 0,
        "exits": Counter(),
        "failed": {},
        "last": work.seed,
    }
    begun = time.time()
    for number, mode in enumerate(work.modes, 1):
        until = begun + (work.until - begun) * number / len(work.modes)
        with (
            tempfile.TemporaryDirectory() as folder,
            contextlib.redirect_stdout(io.StringIO()),
            open_player(Path(folder) / mode, mode) as player,
        ):
            oracle = Oracle(player)
            for schedule in replace(work, until=until).schedules(mode):
                done = player.play(schedule)
                total["played"] += 1
                total["switches"] += len(done.reached)
                total["client"] += sum(map(client.is_own, done.rows))
                total["exits"].update(end.exit for end in done.ends)
                total["last"] = max(total["last"], schedule.seed or 0)
                if broken := oracle.broken(done):
                    total["failed"][f"{schedule} (seed {schedule.seed})"] = broken
                    print(f"{schedule} (seed {schedule.seed}): {broken[0][:200]}", file=sys.stderr, flush=True)
    return total


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--minutes", type=float, default=10)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--modes", default=",".join(MODES))
    arguments.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments.add_argument("--play", default="")
    asked = arguments.parse_args()
    modes = (asked.play.split()[0],) if asked.play else tuple(asked.modes.split(","))
    count = 1 if asked.play else asked.processes
    begun = time.time()
    works = [Work(modes, asked.seed + n, count, begun + 60 * asked.minutes, asked.play) for n in range(count)]
    with multiprocessing.get_context("spawn").Pool(count) as pool:
        results = pool.map(play, works)
    seconds = time.time() - begun
    failed: dict[str, list[str]] = {}
    for each in results:
        failed |= each["failed"]
    total = {key: sum(each[key] for each in results) for key in ("played", "switches", "client")}
    exits = dict(sorted(sum((each["exits"] for each in results), Counter()).items()))
    print(f"{total['played']} schedules in {seconds:.0f} s: {total['played'] / seconds:.1f} per second")
    print(f"seeds {asked.seed} to {max(each['last'] for each in results)}, modes {', '.join(modes)}")
    print(f"{total['client']} requests of the client")
    print(f"{total['switches']} switches reached; runs by exit code: {exits}")
    print(f"{len(failed)} failed")
    for schedule, broken in failed.items():
        print(f"  {schedule}\n    {json.dumps(broken)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
