"""The plan of a renewal: the release, its rescue, and the deletion of the predecessor."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.commands import successor
from deploy.commands.renew import _merge, _renewal
from deploy.domain import leases
from deploy.domain.plan import Plan, Verb
from deploy.leasing import lineage
from deploy.leasing.lineage import Renewal
from tests.unit.specs import deployment_body, endpoint_body, environment, facts, spec

PIPELINE = {"quota": {"capacity": "shared"}, "rollout": {"stages": [10, 100]}}
NOW = datetime(2026, 12, 1, tzinfo=UTC)


def leased(name: str, ends: str) -> dict[str, Any]:
    body = endpoint_body({"blue": 100})
    properties = {leases.ENABLED: "true", leases.DEADLINE: ends}
    return {
        **body, "name": name, "id": f"/ws/onlineEndpoints/{name}",
        "properties": {**body["properties"], "properties": properties},
    }  # fmt: skip


def renewed(release: str) -> Plan:
    """A predecessor exists, the successor serves release r1, and the files describe `release`."""
    bodies = {
        "mip-ab": leased("mip-ab", "Tue, 01 Dec 2026 05:00:00 GMT"),
        "mip-ab-00abc": leased("mip-ab-00abc", "Tue, 08 Dec 2026 05:00:00 GMT"),
    }
    (renewal,) = lineage.due_renewals([spec(release=release, pipeline=PIPELINE)], bodies, NOW, 24)
    seen = {name: facts(body, (deployment_body("blue", release="r1"),)) for name, body in bodies.items()}
    behind = {"blue": deployment_body("blue", release="r1")}
    live = successor.with_live_release(renewal, bodies, dict.fromkeys(bodies, behind))
    return _renewal(environment(), renewal.successor, live, seen, Path("exports"), in_place=False)


def test_an_interrupted_renewal_deletes_the_predecessor() -> None:
    """The successor is complete, so only the deletion is left."""
    made = renewed("r1")

    assert [s.verb for s in made.steps if s.kind == "endpoint"] == [Verb.DELETE]
    assert made.rescue == ()


def test_the_release_of_the_files_is_not_deployed() -> None:
    """A note names it, and the steps are the same as without it."""
    made = renewed("r2")

    assert made.steps == renewed("r1").steps
    assert [note.split(", ")[0] for note in made.notes] == ["mip: the files describe release r2"]


def test_a_renewal_lists_what_it_exposes() -> None:
    """The endpoint of a missed lease is made from the files, which open it: the plan of all renewals lists that."""
    body = endpoint_body()
    body["properties"]["authMode"] = "AADToken"
    wanted = spec(pipeline=PIPELINE)
    made = _renewal(
        environment(), wanted, Renewal(wanted, (), None), {"mip-ab": facts(body)}, Path("x"), in_place=False
    )
    both = _merge(environment(), [renewed("r1"), made])

    assert [(each["path"], each["before"], each["after"]) for each in both.exposure] == [
        ("auth_mode", "aad_token", "key")
    ]


def test_a_deletion_comes_after_its_export() -> None:
    """The first deletion of an endpoint's resources comes after the export."""
    step_types = [s.kind for s in renewed("r1").steps if s.verb is Verb.DELETE or s.kind == "export"]

    assert step_types[0] == "export"
    assert step_types[-1] == "endpoint"
