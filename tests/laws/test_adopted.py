"""An endpoint of `az ml` that is adopted: the first apply replaces its deployment, and a rollback returns to it."""

from __future__ import annotations

from typing import Any

import pytest

from deploy import commands
from deploy.domain import history
from tests.laws.conftest import World
from tests.outsider import Outsider

MODEL = "azureml://registries/azureml/models/MedImageParse/versions/17"
SETTINGS = {"endpointComputeType": "Managed", "instanceType": "Standard_NC24ads_A100_v4", "model": MODEL}
QUIET: dict[str, Any] = {"approve": lambda *_: None}


@pytest.mark.parametrize("name", ["blue", "main"])
def test_a_rollback_returns_to_the_adopted_deployment(world: World, name: str) -> None:
    """Adoption changes only tags; twice is once; a second rollback moves nothing."""
    environment, (spec,) = commands.validate(world.project, "law")
    common = {**QUIET, "emit": world.watch}
    with world.project.connect(environment):
        theirs = Outsider()
        where = f"/onlineEndpoints/{spec.name}"
        theirs.endpoint(spec.name, properties={"authMode": "Key"})
        theirs.deployment(spec.name, name, properties=SETTINGS, sku={"name": "Default", "capacity": 1})
        body = theirs.send("GET", where)
        theirs.put(where, {**body, "properties": {**body["properties"], "traffic": {name: 100}}})

        def traffic() -> dict[str, int]:
            return {slot: share for slot, share in theirs.send("GET", where)["properties"]["traffic"].items() if share}

        assert commands.adopt(world.project, "law", **common).report.ok
        tags = theirs.send("GET", where)["tags"]
        assert traffic() == {name: 100}
        assert [each.slot for each in history.live({"tags": tags})] == [name]
        assert commands.adopt(world.project, "law", **common).report.outcomes == ()
        assert theirs.send("GET", where)["tags"] == tags

        applied = world.apply()
        assert applied.report.ok
        how = "lease reap -e law" if name == "blue" else f"online-deployment delete -e {spec.name} -n main "
        assert [how in note for note in applied.idle] == [True]
        assert name not in traffic()
        assert commands.rollback(world.project, "law", ["mip"], **common).report.ok
        assert traffic() == {name: 100}
        before = world.mutating()
        commands.rollback(world.project, "law", ["mip"], **common)
        assert (world.mutating(), traffic()) == (before, {name: 100})
