"""What a plan opens: network access and authentication, compared with what exists; by values alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import reporter
from deploy.domain.plan import Plan
from deploy.errors import Refused
from deploy.planning import planner
from tests.addresses import addr
from tests.unit.specs import deployment_body, endpoint_body, environment, facts, spec

MODES = ("key", "aml_token", "aad_token")
ARM = {"key": "Key", "aml_token": "AMLToken", "aad_token": "AADToken"}
EGRESS, INGRESS = "egress_public_network_access", "public_network_access"


def wanted(*, release: str = "r1", pipeline=None, deployment=None, **endpoint):
    found = spec(release=release, pipeline=pipeline, **(deployment or {}))
    return replace(found, endpoint={**found.endpoint, **endpoint})


def endpoint(mode: str = "key", access: str = "Enabled"):
    body = endpoint_body({"blue": 100})
    return {**body, "properties": {**body["properties"], "authMode": ARM[mode], "publicNetworkAccess": access}}


def deployment(name: str, egress: str, release: str = "r1"):
    body = deployment_body(name, release=release)
    return {**body, "properties": {**body["properties"], "egressPublicNetworkAccess": egress}}


def plan(files, there, *, allow: bool = False, **guards) -> Plan:
    return planner.plan_release(environment(**guards), [files], {"mip": there}, planner.Choices(allow_exposure=allow))


def told(made: Plan) -> list[tuple[str, str, str]]:
    return [(each["path"], each["before"], each["after"]) for each in made.exposure]


@given(
    before=st.sampled_from(MODES),
    after=st.sampled_from(MODES),
    access=st.sampled_from(["Enabled", "Disabled"]),
    asked=st.sampled_from(["enabled", "disabled", None]),
)
def test_an_endpoint_that_opens_is_listed_and_refused(before, after, access, asked) -> None:
    """Weaker authentication and public access are; stronger, the same, and what the files leave open are not."""
    there = facts(endpoint(before, access), (deployment_body("blue"),))
    files = wanted(auth_mode=after, **({INGRESS: asked} if asked else {}))
    expected = [(INGRESS, "disabled", "enabled")] if (access, asked) == ("Disabled", "enabled") else []
    expected += [("auth_mode", before, after)] if MODES.index(after) < MODES.index(before) else []

    assert told(plan(files, there)) == expected
    assert told(plan(files, there, protected=True, allow=True)) == expected
    if expected:
        with pytest.raises(Refused, match=r"AML249 .*endpoint/mip: .* and the environment is protected"):
            plan(files, there, protected=True)
    else:
        assert plan(files, there, protected=True).exposure == ()


@given(
    live=st.sampled_from(["enabled", "disabled"]),
    idle=st.sampled_from(["enabled", "disabled", None]),
    asked=st.sampled_from(["enabled", "disabled", None]),
    strategy=st.sampled_from(["blue_green", "in_place"]),
)
def test_a_deployment_that_opens_is_listed(live, idle, asked, strategy) -> None:
    """Also on a new slot, compared with the live one, and where the key is taken out of the files."""
    bodies = (deployment("blue", live), *([deployment("green", idle, "r0")] if idle else []))
    there = facts(endpoint(), bodies)
    files = wanted(
        release="r2", pipeline={"rollout": {"strategy": strategy}}, deployment={EGRESS: asked} if asked else {}
    )
    opens = live == "disabled" and asked != "disabled"

    assert told(plan(files, there)) == ([(EGRESS, "disabled", "enabled")] if opens else [])


def test_what_opened_and_failed_is_told_again() -> None:
    """A release that is in its slot and receives no traffic yet still opens what is live."""
    there = facts(endpoint(), (deployment("blue", "disabled", "r0"), deployment("green", "enabled", "r2")))
    made = plan(wanted(release="r2"), there)

    assert [each["address"] for each in made.exposure] == ["deployment/mip/green"]
    assert [step.kind for step in made.steps if step.changes] == ["traffic"]


def test_what_is_new_is_no_change() -> None:
    """A brand-new endpoint opens nothing that was closed."""
    assert plan(wanted(auth_mode="key", deployment={EGRESS: "enabled"}), facts(), protected=True).exposure == ()


def test_a_successor_is_compared_with_the_endpoint_before_it() -> None:
    """On shared quota another endpoint takes over: its files may not open what the former kept closed."""
    shared = wanted(pipeline={"quota": {"capacity": "shared"}}).with_name("mip-ab-00abc")
    there = {**facts(), addr("endpoint/mip/mip-ab"): endpoint("aad_token", "Disabled")}

    assert told(plan(shared, there)) == [(INGRESS, "disabled", "enabled"), ("auth_mode", "aad_token", "key")]


def test_it_stands_first_in_every_form() -> None:
    """Text, Markdown, JSON and the page of a report; a plan file remembers what was allowed, and is bound to it."""
    there = facts(endpoint("aad_token"), (deployment_body("blue"),))
    made = plan(wanted(), there, protected=True, allow=True)
    line = "endpoint/mip auth_mode: aad_token -> key"
    text = reporter.plan_text(made)

    assert line in text
    assert text.index(line) < text.index("update")
    assert reporter.plan_markdown(made).index("[!WARNING]") < reporter.plan_markdown(made).index("| step |")
    assert reporter.plan_json(made)["exposure"] == [
        {"address": "endpoint/mip", "path": "auth_mode", "before": "aad_token", "after": "key"}
    ]
    kept = reporter.plan_dump(made)
    assert reporter.plan_load(kept).allow_exposure
    assert reporter.plan_load(kept).fingerprint == made.fingerprint
    with pytest.raises(Exception, match="AML191"):
        reporter.plan_load(json.dumps(json.loads(kept) | {"allow_exposure": False}))
