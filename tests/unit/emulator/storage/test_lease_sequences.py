"""Any sequence of lease calls, with time passing between them, follows the lease table."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.emulator.storage import leases
from deploy.emulator.storage.leases import Lease, LeaseCall, LeaseRefused
from tests.unit.emulator.storage.lease_table import ROWS, STATES, A, B

NEVER = float("inf")


class Model:
    """The table with a stopwatch: the state now, and what the table says about a call."""

    def __init__(self) -> None:
        self.state, self.id, self.seconds, self.ends, self.now = "available", "", 0, NEVER, 1_000_000.0

    def wait(self, seconds: float) -> None:
        self.now += seconds
        if self.now >= self.ends:
            self.state, self.ends = {"leased": "expired", "breaking": "broken"}[self.state], NEVER

    def outcome(self, call: LeaseCall) -> str:
        """The cell of the table."""
        name = "A" if self.id == (call.id or call.proposed) else "B"
        row = {"acquire": f"acquire {name}", "change": "change A to B", "break": "break"}
        return ROWS[row.get(call.action, f"{call.action} {name}")][STATES.index(self.state)]

    def move(self, call: LeaseCall, state: str) -> None:
        """To the state that the table names after a call that succeeds."""
        left, held, self.state = self.ends - self.now, self.state in ("leased", "breaking"), state
        match call.action:
            case "acquire" | "renew":
                if call.action == "acquire":
                    self.id, self.seconds = call.proposed, call.seconds
                self.ends = NEVER if self.seconds == leases.INFINITE else self.now + self.seconds
            case "change":
                self.id = call.proposed
            case "release":
                self.id, self.ends = "", NEVER
            case "break" if held:
                period = call.period if call.period is not None else 0 if left == NEVER else left
                self.state, self.ends = "breaking", self.now + min(left, period)
                self.wait(0)


STEPS = st.tuples(
    st.sampled_from([*leases.ACTIONS, "acquire", "break"]), st.sampled_from([A, A, B]), st.sampled_from([-1, 15]),
    st.sampled_from([None, 10, 60]), st.sampled_from([0.0, 10.0, 15.0]),
)  # fmt: skip
"""Few values, so that breaks, expiries and renewals meet."""


def call_of(step: Any, model: Model) -> LeaseCall:
    """A call of the table: a change is always from the current id to the other one."""
    action, name, seconds, period, _ = step
    current = (model.id or A) if action == "change" else name
    proposed = {A: B, B: A}[current] if action == "change" else name
    return LeaseCall(action, "" if action == "acquire" else current, proposed, seconds, period)


def applied(lease: Lease | None, call: LeaseCall, now: float) -> tuple[Lease | None, str]:
    """The lease after a call, and the code of a refusal."""
    try:
        return leases.apply(lease, call, now), ""
    except LeaseRefused as refused:
        return lease, refused.code


@settings(max_examples=60)
@given(st.lists(STEPS, min_size=10, max_size=25))
def test_any_sequence_of_calls_follows_the_table(steps: list[Any]) -> None:
    """Refusal, id and state after each call, and after each wait."""
    model, lease = Model(), None
    for step in steps:
        model.wait(step[-1])
        assert leases.state(lease, model.now) == model.state
        call = call_of(step, model)
        status, rest = model.outcome(call).split()
        lease, code = applied(lease, call, model.now)
        assert code == (rest if status == "409" else "")
        if not code:
            model.move(call, rest)
        assert (leases.state(lease, model.now), lease.id if lease else "") == (model.state, model.id)
