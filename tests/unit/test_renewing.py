"""What a renewal is made of: the release, its rescue, and the end of whoever came before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from deploy import leases, succession
from deploy.model import Plan, Verb
from deploy.verbs import renewing
from tests.unit.specs import deployment_body, endpoint_body, environment, facts, spec

PIPELINE = {"quota": {"capacity": "shared"}, "rollout": {"stages": [10, 100]}}
NOW = datetime(2026, 12, 1, tzinfo=UTC)


def lent(name: str, ends: str) -> dict[str, Any]:
    body = endpoint_body({"blue": 100})
    properties = {leases.ENABLED: "true", leases.DEADLINE: ends}
    return {
        **body, "name": name, "id": f"/ws/onlineEndpoints/{name}",
        "properties": {**body["properties"], "properties": properties},
    }  # fmt: skip


def renewed(release: str) -> Plan:
    """The predecessor still there, the successor serving the first release, and the files as `release`."""
    bodies = {
        "mip-ab": lent("mip-ab", "Tue, 01 Dec 2026 05:00:00 GMT"),
        "mip-ab-00abc": lent("mip-ab-00abc", "Tue, 08 Dec 2026 05:00:00 GMT"),
    }
    (turn,) = succession.turns([spec(release=release, pipeline=PIPELINE)], bodies, NOW, 24)
    seen = {name: facts(body, (deployment_body("blue", release="r1"),)) for name, body in bodies.items()}
    return renewing._as_one(environment(), [renewing._renewal(environment(), turn, seen, in_place=False)])


def test_what_was_cut_off_is_ended() -> None:
    """The successor is whole, so nothing is left but the end of whoever came before."""
    made = renewed("r1")

    assert [s.verb for s in made.steps if s.room == "endpoint"] == [Verb.DELETE]
    assert made.rescue == ()


def test_a_new_release_of_a_successor_can_be_rescued() -> None:
    """Its callers move stage by stage, and back if one fails. Nobody ends meanwhile: one rescue cannot mend both."""
    made = renewed("r2")

    assert [s.body["after"] for s in made.steps if s.verb is Verb.SHIFT] == [
        {"green": 10, "blue": 90}, {"green": 100},
    ]  # fmt: skip
    assert [s.body["after"] for s in made.rescue] == [{"blue": 100}]
    assert not [s for s in made.steps if s.verb is Verb.DELETE]
