"""A new endpoint that succeeds another: whose keys it is to have."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.domain.arm import address
from deploy.domain.plan import Desired, Step
from deploy.preflight import permissions
from deploy.steps import endpoint
from tests.unit.specs import endpoint_body, spec

SHARED = {"quota": {"capacity": "shared"}}
OLD, HALF = "mip-ab", "mip-ab-00abc"


def created(*, blocks: Any = None, **endpoints: dict[str, Any]) -> Step:
    """The step that creates a successor while these exist; `blocks`: the permissions that the caller holds."""
    facts = {address("endpoint", "mip", name.replace("_", "-")): body for name, body in endpoints.items()}
    facts[address("permission", "mip", "workspace")] = {"blocks": blocks}
    (step,) = endpoint.plan(Desired(spec(pipeline=SHARED).with_name("mip-ab-00zzz"), {}, ({},)), facts)
    return step


def body(name: str, *, mode: str = "Key", served: bool = True) -> dict[str, Any]:
    found = endpoint_body({"blue": 100} if served else {})
    return {**found, "name": name, "properties": {**found["properties"], "authMode": mode}}


def test_it_has_the_keys_of_the_one_that_receives_traffic() -> None:
    """Not those of a younger one that was never finished; where none receives traffic, of the youngest."""
    both = created(mip_ab=body(OLD), mip_ab_00abc=body(HALF, served=False))
    neither = created(mip_ab=body(OLD, served=False), mip_ab_00abc=body(HALF, served=False))

    assert (both.body["predecessor"], neither.body["predecessor"]) == (OLD, HALF)
    assert f"with the keys of {OLD}" in both.why


@pytest.mark.parametrize("endpoints", [{}, {"mip_ab": body(OLD, mode="AADToken")}])
def test_without_key_authentication_no_keys_are_carried(endpoints: dict[str, Any]) -> None:
    """The first of a line, and one that follows another kind of authentication."""
    step = created(**endpoints)

    assert "predecessor" not in step.body
    assert "keys" not in step.why


def test_without_permission_to_read_keys_the_plan_notes_new_keys() -> None:
    """And the plan is not refused for it. What Azure does not tell is tried."""
    lacking = created(blocks=[{"actions": ["*/read"]}], mip_ab=body(OLD))

    assert "predecessor" not in lacking.body
    assert permissions.KEYS in lacking.why
    assert created(blocks=[{"actions": ["*"]}], mip_ab=body(OLD)).body["predecessor"] == OLD
