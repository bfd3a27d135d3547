"""What a plan file is held to: where it was made, and what no plan shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deploy import reporter
from deploy.domain.plan import Plan
from deploy.domain.spec import EndpointSpec, Environment
from deploy.errors import StalePlan
from deploy.planning import plan_check, planner
from tests.unit.specs import deployment_body, endpoint_body, environment, facts, spec

SECRET = "7391"
HERE = environment()


def entry(token: str = SECRET, note: str = "", probe_files: str = "f1", **more: Any) -> EndpointSpec:
    tags = {"api_token": token, "team": "x"} | ({"note": note} if note else {})
    endpoint = {"name": "mip-ab", "auth_mode": "key", "tags": tags, **more}
    return replace(spec(), endpoint=endpoint, probe_files=probe_files)


def made(one: EndpointSpec, where: Environment = HERE) -> Plan:
    return planner.plan_release(where, [one], {"mip": facts()})


def stale(agreed: Plan, one: EndpointSpec, where: Environment = HERE) -> str:
    """What both looks say: the one at the files, and the one at the new plan."""
    with pytest.raises(StalePlan) as early:
        plan_check.must_be_for(agreed, where, [one])
    with pytest.raises(StalePlan) as late:
        plan_check.remaining_plan(agreed, made(one, where))
    assert str(early.value) == str(late.value)
    return str(early.value)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("workspace", "ws-b", "workspace ws -> ws-b"),
        ("resource_group", "rg-b", "resource group rg -> rg-b"),
        ("subscription_id", "sub-b", "subscription sub -> sub-b"),
        ("cloud", "AzureCloud", "cloud local -> AzureCloud"),
    ],
)
def test_a_plan_is_for_one_workspace(field: str, value: str, words: str) -> None:
    agreed = reporter.plan_load(reporter.plan_dump(made(entry())))
    moved = replace(HERE, **{field: value})
    assert f"since it was made: {words}. Plan again" in stale(agreed, entry(), moved)


def test_a_region_that_moved_is_named() -> None:
    agreed = made(spec())
    with pytest.raises(StalePlan, match="region eastus -> westus"):
        plan_check.remaining_plan(agreed, replace(agreed, target={**agreed.target, "region": "westus"}))


def test_a_hidden_value_that_changed_is_named_and_not_shown() -> None:
    """By its name or by its looks; in tags, properties and the deployment."""
    url = "https://x.blob.core.windows.net/c?sig=%s"
    agreed = reporter.plan_load(reporter.plan_dump(made(entry(note=url % "AAAAAAAAAAAAAAAA"))))
    told = stale(agreed, entry("0000", note=url % "BBBBBBBBBBBBBBBB"))
    assert "a hidden value changed: endpoint/mip tags.api_token" in told
    assert "a hidden value changed: endpoint/mip tags.note" in told
    assert "0000" not in told
    assert SECRET not in told
    assert "endpoint/mip properties.api_key" in stale(made(entry()), entry(properties={"api_key": "k1"}))


def test_probe_files_that_changed_are_named() -> None:
    assert "probe files of mip changed" in stale(made(entry()), entry(probe_files="f2"))


def test_what_did_not_change_is_the_same_plan() -> None:
    """Made twice, also from a file: one fingerprint, and nothing stale."""
    agreed = reporter.plan_load(reporter.plan_dump(made(entry())))
    plan_check.must_be_for(agreed, HERE, [entry()])
    assert plan_check.remaining_plan(agreed, made(entry())).fingerprint == agreed.fingerprint


def test_no_fast_digest_of_a_short_secret_is_in_a_plan_file() -> None:
    """Whoever has the file tries all of ten thousand values: with SHA-256, of whatever is in it, none fits."""
    import hashlib
    import re

    text = reporter.plan_dump(made(entry()))
    found = set(re.findall(r"[0-9a-f]{12,64}", text))
    assert SECRET not in text
    guesses = (f"{number:04}" for number in range(10_000))
    fast = {hashlib.sha256(form.encode()).hexdigest() for g in guesses for form in (g, f'"{g}"')}
    assert not any(digest.startswith(each) for each in found for digest in fast)


def test_where_it_is_made_is_in_every_form_of_a_plan() -> None:
    plan = made(spec())
    for text in (reporter.plan_text(plan, width=200), reporter.plan_markdown(plan)):
        assert "Workspace ws, resource group rg, subscription sub, cloud local, region eastus" in text
    assert reporter.plan_json(plan)["target"] == {
        "cloud": "local", "subscription_id": "sub", "resource_group": "rg", "workspace": "ws", "region": "eastus",
    }  # fmt: skip


def test_a_secret_that_changed_in_azure_voids_the_plan() -> None:
    """One that the files do not set: the plan stands on it all the same."""

    def seen(token: str) -> Plan:
        body = endpoint_body({"blue": 100})
        body["tags"] |= {"api_token": token}
        return planner.plan_release(HERE, [spec(release="r2")], {"mip": facts(body, (deployment_body("blue"),))})

    agreed = reporter.plan_load(reporter.plan_dump(seen(SECRET)))
    assert plan_check.remaining_plan(agreed, seen(SECRET)).fingerprint == agreed.fingerprint
    with pytest.raises(StalePlan, match=r"endpoint/mip: tags\.api_token \(hidden\) -> \(hidden\)"):
        plan_check.remaining_plan(agreed, seen("0000"))
