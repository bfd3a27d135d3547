"""Plans, reports and rows: a few examples, and strategies that generate any."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from deploy.domain.cost import Cost, Instances, Prices
from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.report import Evidence, Outcome, Report, State
from deploy.domain.spec import Retry
from deploy.reporter import EndpointRow, SlotRow
from deploy.reporter.status_rows import StageRow
from tests.addresses import addr

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Few examples and no deadline, so that a slow machine fails no test."""
SIZE = "Standard_NC24ads_A100_v4"
PNG = b"\x89PNG\r\n\x1a\n and so on"
QUOTA = {
    "instance_type": SIZE,
    "family": "standardNCADSA100v4Family",
    "cores_per_instance": 24,
    "instances": 1,
    "held": 0,
    "capacity": "dedicated",
    "reserve": False,
    "needed": 24,
    "in_use": 0,
    "limit": 48,
    "left": 48,
    "total_left": 200,
    "verdict": "yes",
}
CHANGES = [
    {"path": "instance_count", "before": 1, "after": 2, "mutability": "update"},
    {"path": "environment_variables.HF_TOKEN", "before": "hf_old", "after": "hf_new", "mutability": "update"},
]
TARGET = {
    "cloud": "local",
    "subscription_id": "00000000-0000-0000-0000-000000000001",
    "resource_group": "rg-local",
    "workspace": "mlw-local",
    "region": "eastus",
}
PLAN = Plan(
    "dev",
    (
        Step(Verb.CHECK, addr("quota/mip/standard_nc24ads_a100_v4"), QUOTA, "1 x 24 cores"),
        Step(Verb.CREATE, addr("endpoint/mip"), {"document": {"name": "mip-dev"}}, "there is no endpoint mip-dev yet"),
        Step(Verb.UPDATE, addr("deployment/mi2/blue"), {"changes": CHANGES}, "instance_count"),
        Step(Verb.SHIFT, addr("traffic/mip"), {}, "blue 100 % -> green 100 %", Retry(6, 1800.0, 300.0)),
        Step(Verb.DELETE, addr("deployment/mip/blue"), {}, "removed by teardown"),
    ),
    (Step(Verb.SHIFT, addr("traffic/mip"), {}, "green 100 % -> blue 100 %"),),
    ({"endpoint": "mip", "ends": "2026-11-30 09:12 UTC"},),
    ("mip", "mi2"),
    "facts",
    target=TARGET,
)
FAILURE = {
    "code": "AML310",
    "message": "cannot update deployment/mi2/blue: Not enough quota. Request more.",
    "azure_codes": ["BadRequest", "OutOfQuota"],
    "status": 400,
    "request_id": "3f0a5f1e",
}
REPORT = Report(
    "dev",
    PLAN.fingerprint,
    (
        Outcome(addr("quota/mip/standard_nc24ads_a100_v4"), Verb.CHECK, State.DONE, 1, 0.4),
        Outcome(
            addr("endpoint/mip"),
            Verb.CREATE,
            State.DONE,
            2,
            41.2,
            None,
            Evidence("a result", {"n": 1}, {"seen.png": PNG}),
        ),
        Outcome(
            addr("deployment/mi2/blue"),
            Verb.UPDATE,
            State.FAILED,
            6,
            733.0,
            FAILURE,
            Evidence("", {}, {"a.log": b"boom"}),
        ),
        Outcome(addr("traffic/mip"), Verb.SHIFT, State.NOT_REACHED),
        Outcome(addr("traffic/mip"), Verb.SHIFT, State.RESCUED, 1, 12.0, rescue=True),
    ),
    requests=214,
    seconds=1465.2,
)
ROWS = (
    EndpointRow(
        "mip",
        "mip-dev",
        "Succeeded",
        "https://mip-dev.eastus.inference.ml.azure.com/score",
        "key",
        (
            SlotRow("blue", True, 90, "3f2a9c1b7d04", SIZE, 1, "Succeeded"),
            SlotRow("green", False, 10, "99aa9c1b7d04", SIZE, 2, "Succeeded"),
        ),
        "2026-11-30T09:12:00Z",
        71.3,
    ),
    EndpointRow("cxr", "cxr-dev", "absent"),
)

WIDTHS = st.integers(60, 200)
WORDS = st.text(min_size=0, max_size=20) | st.text("abc::`|@<&#[_* \u202e\x1b\n\u2028\u00a0\t漢", max_size=20)
"""No word is longer than 40 columns, so no line of a page may be too long."""
SENTENCES = st.lists(WORDS, max_size=6).map(" ".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=3,
)
BODIES = st.dictionaries(WORDS, VALUES, max_size=2)
_NUMBER = st.none() | st.integers(-1, 10_000)
QUOTA_BODIES = st.fixed_dictionaries(
    {},
    optional={
        "instance_type": st.sampled_from([SIZE, None]),
        "family": st.sampled_from(["standardNCADSA100v4Family", None]),
        "reserve": st.none() | st.booleans(),
        "capacity": st.sampled_from(["dedicated", "shared"]),
        "verdict": st.sampled_from(["yes", "unknown"]),
        **dict.fromkeys(("instances", "held", "cores_per_instance", "needed"), _NUMBER),
        **dict.fromkeys(("in_use", "limit", "left", "total_left"), _NUMBER),
    },
)  # fmt: skip
CHANGE_BODIES = st.fixed_dictionaries(
    {
        "changes": st.lists(
            st.fixed_dictionaries({"path": WORDS, "before": VALUES, "after": VALUES}), max_size=3
        )
    }
)  # fmt: skip
RETRIES = st.builds(Retry, st.integers(1, 9), st.floats(0, 9e3), st.floats(0, 900))
KINDS = st.sampled_from(["endpoint", "role", "deployment", "traffic"])
ADDRESSES = st.tuples(KINDS, WORDS, WORDS).map("/".join).map(addr)
STEPS = st.one_of(
    st.builds(Step, st.sampled_from(Verb), ADDRESSES, BODIES | CHANGE_BODIES, SENTENCES, RETRIES),
    st.builds(Step, st.just(Verb.CHECK), st.just(addr("quota/mip/size")), QUOTA_BODIES, SENTENCES, RETRIES),
)
AMOUNTS = st.integers(0, 10**9).map(lambda n: Decimal(n) / 10_000)
COSTS = st.builds(Cost, AMOUNTS, AMOUNTS, WORDS, st.lists(WORDS, max_size=2).map(tuple), WORDS)
PRICES = st.builds(Prices, WORDS, st.dictionaries(st.just(SIZE.lower()), AMOUNTS), WORDS)
RUNNING = st.dictionaries(
    WORDS,
    st.dictionaries(
        st.tuples(WORDS, WORDS),
        st.builds(Instances, st.just(SIZE) | WORDS, st.integers(0, 9), st.none() | st.just((1, 3)), st.booleans()),
        max_size=2,
    ),
    max_size=2,
)
PLANS = st.builds(
    Plan,
    environment=WORDS,
    steps=st.lists(STEPS, max_size=4).map(tuple),
    rescue=st.lists(STEPS, max_size=2).map(tuple),
    leases=st.lists(st.dictionaries(WORDS, WORDS, max_size=2), max_size=2).map(tuple),
    endpoints=st.lists(WORDS, max_size=2).map(tuple),
    facts=WORDS,
    fallback=st.lists(STEPS, max_size=2).map(tuple),
    target=st.fixed_dictionaries(dict.fromkeys(TARGET, WORDS)),
    held=st.lists(
        st.fixed_dictionaries(dict.fromkeys(("endpoint", "name", "release", "at", "by"), WORDS)), max_size=2
    ).map(tuple),
    allow_rolled_back=st.booleans(),
    running=RUNNING,
    prices=st.none() | PRICES,
)
ERRORS = st.none() | st.fixed_dictionaries(
    {"code": WORDS, "message": SENTENCES},
    optional={"azure_codes": st.lists(WORDS, max_size=3), "status": st.integers(100, 599), "request_id": WORDS},
)
EVIDENCE = st.builds(Evidence, SENTENCES, BODIES, st.dictionaries(WORDS, st.binary(max_size=9), max_size=2))
STATES = st.sampled_from(State)
OUTCOMES = st.builds(
    Outcome, ADDRESSES, st.sampled_from(Verb), STATES, st.integers(0, 9), st.floats(0, 9e5), ERRORS, EVIDENCE
)
REPORTS = st.builds(
    Report,
    WORDS,
    WORDS,
    st.lists(OUTCOMES, max_size=4).map(tuple),
    st.integers(0, 9000),
    st.floats(0, 9e5),
    cost=st.none() | COSTS,
    paused=st.lists(WORDS, max_size=7).map(tuple),
)
AZURE_STATES = st.sampled_from(["Succeeded", "Failed"])
SLOT_ROWS = st.builds(
    SlotRow, WORDS, st.booleans(), st.integers(0, 100), WORDS, WORDS, st.integers(0, 50), AZURE_STATES
)
FIGURES = st.fixed_dictionaries(
    {f"{name} {which}": st.integers(0, 10**9) for name in ("requests", "errors") for which in ("live", "new")},
    optional=dict.fromkeys(("p95 live", "p95 new"), st.none() | st.floats(0, 1e6)),
)
STAGE_ROWS = st.builds(
    StageRow, WORDS, WORDS, st.integers(0, 100), WORDS, WORDS, st.booleans(), SENTENCES, st.just({}) | FIGURES,
    st.booleans(),
)  # fmt: skip
ENDPOINT_ROWS = st.builds(
    EndpointRow, WORDS, WORDS, st.sampled_from(["Succeeded", "absent"]), WORDS, WORDS,
    st.lists(SLOT_ROWS, max_size=3).map(tuple), st.none() | WORDS, st.none() | st.floats(-200, 200),
    cost=st.none() | COSTS, stage=st.none() | STAGE_ROWS,
)  # fmt: skip
