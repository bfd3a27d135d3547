"""How long a plan will take: the longest endpoint, with its waits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.spec import Retry
from deploy.emulator.world.timing import REALISTIC
from deploy.planning import duration
from deploy.reporter.wording import plan_duration
from tests.addresses import addr

KINDS = st.sampled_from(["endpoint", "deployment", "traffic", "role", "alias", "probe", "quota"])


def step(kind: str, verb: Verb, endpoint: str = "mip", wait: float = 0.0) -> Step:
    return Step(verb, addr(f"{kind}/{endpoint}"), {}, "why", Retry(1, 60, wait))


@given(st.lists(st.tuples(KINDS, st.sampled_from(Verb), st.sampled_from("abc"), st.floats(0, 600)), max_size=30))
def test_endpoints_run_side_by_side_and_their_steps_one_after_the_other(rows: list[tuple]) -> None:
    """Whatever the steps: each endpoint takes the sum of its own, and no step is left out."""
    steps = [step(*row) for row in rows]
    found = duration.of_endpoints(steps, duration.AZURE)

    for key in {each.endpoint for each in steps}:
        own = [each for each in steps if each.endpoint == key]
        assert found[key] >= sum(each.retry.wait for each in own) + 0.5 * len(own) - 1e-6
        apart = sum(duration.of_endpoints([each], duration.AZURE)[key] for each in own)
        assert abs(found[key] - apart) < 1e-6


def test_the_emulator_takes_as_long_as_the_figures() -> None:
    """Its realistic profile has the measured durations, each of which is a row of the table."""
    for name in ("endpoint_create", "endpoint_update", "endpoint_delete", "deployment_create", "deployment_update"):
        assert duration.AZURE[name] == getattr(REALISTIC, name)
    assert (duration.AZURE["deployment_delete"], duration.AZURE["tags"]) == (120, 15)


def test_a_plan_says_how_long_it_takes() -> None:
    """With its waits, and what runs beside the longest endpoint; a plan of seconds says nothing."""
    steps = (
        step("endpoint", Verb.CREATE),
        step("deployment", Verb.CREATE),
        step("probe", Verb.PROBE, wait=300),
        step("traffic", Verb.SHIFT),
        step("endpoint", Verb.UPDATE, "other"),
    )
    made = Plan("test", steps, duration=duration.of_endpoints(steps, duration.AZURE))

    said = "about 16 min 6 s, 5 min of it waits between steps, mip takes longest, 1 other endpoint beside it"
    assert plan_duration(made) == f"Usual duration: {said}."
    assert plan_duration(Plan("test", steps, duration={"mip": 3.0})) == ""
    assert plan_duration(Plan("test", steps[2:3], duration={"mip": 300.0})) == ""
