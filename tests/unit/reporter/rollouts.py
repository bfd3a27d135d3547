"""Reports of runs with gates: an example, and strategies that generate any minutes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from deploy.domain.plan import Verb
from deploy.domain.report import Evidence, Outcome, Report, State
from tests.addresses import addr

BEGAN = 1_796_025_600
"""2026-11-30 08:00 UTC, in seconds since 1970."""
SENTENCE = (
    "new 0.4 % errors of 361 requests, live 0.4 % of 3,249; p95 640 ms against 610 ms"
    ": no evidence that it is worse, so continue"
)
FIGURES = {
    "requests live": 3249, "errors live": 13, "p95 live": 610.2,
    "requests new": 361, "errors new": 2, "p95 new": None,
}  # fmt: skip

COUNTS = st.integers(0, 10**9)
LATENCIES = st.none() | st.floats()
SAMPLES = st.tuples(COUNTS, COUNTS, LATENCIES).map(list)
MINUTES = st.lists(
    st.fixed_dictionaries({"start": st.floats(0, 4e9) | st.integers(0, 9).map(lambda n: BEGAN + 60.0 * n),
                           "live": SAMPLES, "new": SAMPLES}),
    max_size=20,
)  # fmt: skip
STAGES = st.lists(st.tuples(st.integers(0, 100), st.floats(0, 4e9)), min_size=1, max_size=12)


def gate(
    minutes: Sequence[Mapping[str, Any]],
    *,
    percent: int = 10,
    since: float = BEGAN,
    answer: str = "continue",
    sentence: str = SENTENCE,
    live: str = "blue",
    new: str = "green",
    key: str = "mip",
) -> Outcome:
    """A gate that judged these minutes; one that answers `go back` has failed."""
    data = {"gate": {
        "answer": answer, "sentence": sentence, "slots": {"live": live, "new": new},
        "stage": {"percent": percent, "since": since}, "figures": FIGURES, "minutes": list(minutes),
    }}  # fmt: skip
    if answer == "go back":
        error = {"code": "AML388", "message": f"cannot judge {key}/{new}: {sentence}. Fix the release."}
        return Outcome(addr(f"gate/{key}/x"), Verb.GATE, State.FAILED, 1, 600.0, error, Evidence("", data))
    return Outcome(addr(f"gate/{key}/x"), Verb.GATE, State.DONE, 1, 600.0, None, Evidence(sentence, data))


def minutes(number: int, errors: float = 0.004, slow: float = 1.05) -> list[dict[str, Any]]:
    """Minutes in which the new deployment has `errors` as error rate, and is `slow` times as slow as the live one."""
    found = []
    for n in range(number):
        p95 = 600 + 40 * math.sin(n / 3)
        new = 12 if n < 10 else 60
        live_errors, new_errors = int(n % 7 == 0), round(new * errors * (1 + math.sin(n)))
        sample = [new, new_errors, round(p95 * slow, 1)] if n > 1 else [0, 0, None]
        found.append({"start": BEGAN + 60.0 * n, "live": [120 - new, live_errors, round(p95, 1)], "new": sample})
    return found


def report(number: int = 24, **last: Any) -> Report:
    """A rollout with gates at 10 % and 50 %; `last`: of the second gate."""
    seen = minutes(number, errors=0.1 if last.get("answer") == "go back" else 0.004)
    second = gate(seen, percent=50, since=BEGAN + 60.0 * (number // 2), **last)
    return Report("prod", "f" * 64, (gate(seen[: number // 2]), second), 192, 2700.0)
