"""Gates and places: many checks share what is left; names and limits."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from deploy.domain.plan import Step, Verb
from deploy.domain.spec import ServiceLimits
from deploy.preflight import headroom, limits
from deploy.preflight.check_result import CheckResult, Reason, Verdict, findings
from tests.addresses import addr
from tests.unit.specs import deployment_body, endpoint_body, environment, facts, spec

NEW = {"name": "mip-ab", "endpoints": 1, "deployments": 1, "siblings": 0, "roles": 2, "granted": {}}
SEEN = {"region": "eastus", "endpoints": 3, "assignments": 40, "free": True, "unread": "", "source": "endpoints"}


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 50)), max_size=6), st.integers(50, 150))
@example([("a", 50), ("a", 50)], 100)
def test_limits_of_all_checks_together(asks: list[tuple[str, int]], left: int) -> None:
    """Refused exactly when what several ask of one gate is more than is left of it."""
    steps = [
        CheckResult("", "").step(addr(f"quota/{n}/x"), {"limits": [headroom.Limit(what, needs, left, "AML200").body()]})
        for n, (what, needs) in enumerate(asks)
    ]
    sums = {what: sum(needs for w, needs in asks if w == what) for what, _ in asks}

    assert len(headroom.limits_exceeded_together(steps)) == sum(total > left for total in sums.values())


def test_together_leaves_out_the_refused() -> None:
    """What is refused by itself is not refused again with others, and what nobody knows refuses nothing."""
    body = {"limits": [headroom.Limit("x", 80, 100, "AML200").body()]}
    bad = CheckResult("", "", (Reason("AML200", "", ""),)).step(addr("quota/a/x"), body)
    blind = {"limits": [headroom.Limit("x", 80, None, "AML200").body()]}

    assert headroom.limits_exceeded_together([bad, CheckResult("", "").step(addr("quota/b/x"), body)]) == []
    assert (
        headroom.limits_exceeded_together([CheckResult("", "").step(addr(f"quota/{n}/x"), blind) for n in range(3)])
        == []
    )


@given(st.none() | st.integers(-1, 300), st.none() | st.integers(0, 300))
def test_what_is_left_of_a_limit(limit: int | None, used: int | None) -> None:
    """The difference, where both are known and there is a limit."""
    known = limit not in (None, -1) and used is not None
    assert headroom.left(limit, used) == (limit - used if known else None)


def test_every_reason_is_a_finding_with_its_source() -> None:
    """A check may have several reasons; each says who answered."""
    step = CheckResult("w", "usages of eastus", (Reason("AML1", "a", "c"), Reason("AML2", "b", "d"))).step(
        addr("quota/a/x"), {}
    )

    assert [(f.code, f.cause) for f in findings([step])] == [
        ("AML1", "a (usages of eastus)"),
        ("AML2", "b (usages of eastus)"),
    ]
    assert step.body["verdict"] == "no"


def test_limits_of_the_region() -> None:
    """New endpoints, deployments and roles count; a deployment made anew does not; without anything new, nothing."""
    there = facts(endpoint_body(), (deployment_body("blue"),))
    made = [
        Step(Verb.DELETE, addr("deployment/mip/green"), {}, ""),
        Step(Verb.CREATE, addr("deployment/mip/green"), {"document": {}}, ""),
    ]

    assert limits.planned_creations(spec(), [], there) is None
    assert limits.planned_creations(spec(), [*made, Step(Verb.CREATE, addr("role/mip/r/s"), {}, "")], there) == NEW | {
        "endpoints": 0,
        "deployments": 0,
        "siblings": 1,
        "roles": 1,
    }


GRANTED = {"endpoints": 100, "deployments_per_endpoint": 20}


def test_limits_that_are_known_refuse() -> None:
    """Each stated limit has its code; that of role assignments is fixed."""
    full = SEEN | {"endpoints": 100, "assignments": 4000, "free": False, "unread": "in use"}
    found = limits.check(NEW | {"siblings": 20, "granted": GRANTED}, full)

    assert [reason.code for reason in found.reasons] == ["AML260", "AML261", "AML264", "AML265"]


def test_published_limits_that_azure_raises_on_request_warn() -> None:
    """Without `service_limits` nothing is refused: the check and a note of the plan name the key."""
    full = SEEN | {"endpoints": 100}
    found = limits.check(NEW | {"siblings": 20}, full)
    assert found.verdict is Verdict.UNKNOWN
    assert "service_limits.endpoints" in found.why
    assert "service_limits.deployments_per_endpoint" in found.why

    asked = [limit.body() for limit in limits.limits(NEW | {"siblings": 20}, full)]
    step = found.step(addr("limits/mip"), {"limits": asked})
    notes = headroom.raisable_limits_exceeded([step], "prod")
    assert len(notes) == 2
    assert all("environments/prod.yml" in note for note in notes)
    assert headroom.limits_exceeded_together([step, step]) == []


@given(st.integers(0, 300), st.integers(1, 300), st.none() | st.integers(1, 300))
def test_a_stated_limit_decides_and_a_published_one_never_refuses(there: int, new: int, stated: int | None) -> None:
    """For any counts: refused exactly if a stated limit would be exceeded."""
    granted = {} if stated is None else {"endpoints": stated}
    desired = {**NEW, "endpoints": new, "deployments": 0, "roles": 0, "granted": granted}
    found = limits.check(desired, SEEN | {"endpoints": there})
    assert bool(found.reasons) == (stated is not None and there + new > stated)
    assert (found.verdict is Verdict.UNKNOWN) == (stated is None and there + new > 100)


def test_unknown_limits() -> None:
    """More than the default limit means that it was raised; what is not told blocks nothing."""
    assert limits.check(NEW, SEEN).verdict is Verdict.YES
    for more in ({"endpoints": 130}, {"assignments": None}, {"free": None, "unread": "closed to us"}):
        assert limits.check(NEW, SEEN | more).verdict is Verdict.UNKNOWN


def test_deployments_of_the_region() -> None:
    """Those behind all endpoints of the plan are counted against the subscription's limit."""
    many = {"mip": {addr(f"deployment/mip/d{n}"): {} for n in range(500)}}
    more = [Step(Verb.CREATE, addr("deployment/mip/blue"), {}, "")]

    stated = replace(environment(), service_limits=ServiceLimits(deployments=500))
    findings, _ = limits.too_many(more, many, stated)
    assert [f.code for f in findings] == ["AML262"]
    assert limits.too_many(more, {"mip": {}}, stated) == ([], [])
    assert limits.too_many([], many, stated) == ([], [])

    findings, notes = limits.too_many(more, many, environment())
    assert findings == []
    assert "service_limits.deployments" in notes[0]


def test_a_hundred_endpoints_are_one_sum_in_few_words() -> None:
    """Few numbers are written out, many equal ones are counted; either way the sum is right."""

    def said(needs: list[int]) -> str:
        asked = ({"limits": [{"what": "cores of x", "needs": n, "left": 96}]} for n in needs)
        steps = [CheckResult("", "").step(addr(f"quota/e{n}/x"), body) for n, body in enumerate(asked)]
        return headroom.limits_exceeded_together(steps)[0].cause

    assert said([48, 72]) == "cores of x: need 48 + 72 = 120, 96 free"
    assert said([24] * 100) == "cores of x: need 100 x 24 = 2400, 96 free"
    assert said([48, *[24] * 98, 48]) == "cores of x: need 98 x 24 + 2 x 48 = 2448, 96 free"
