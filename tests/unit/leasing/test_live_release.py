"""A successor gets the release that exists in Azure, not that of the files."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy import diff
from deploy.domain import leases
from deploy.domain.arm import OWNER_TAG, RELEASE_TAG, UNVERIFIED
from deploy.domain.put_merge import PROTECT_TAG
from deploy.domain.spec import EndpointSpec
from deploy.errors import CloudError
from deploy.leasing import lineage, live_release
from deploy.planning import planner
from tests.table import samples_of
from tests.unit.specs import OWNER, deployment_body, endpoint_body, environment, facts, spec

FREE = [row for row in diff.DEPLOYMENT if row.yaml not in ("instance_type", "instance_count", "tags.*")]
SHARED = {"quota": {"capacity": "shared"}}


def put(body: dict[str, Any], path: str, value: Any) -> None:
    """A value at an ARM path; every star is `k`."""
    *above, last = path.replace("*", "k").split(".")
    for name in above:
        body = body.setdefault(name, {})
    body[last] = value


@st.composite
def deployments(draw: st.DrawFn) -> dict[str, Any]:
    """A deployment as Azure may hold it: any of the table's fields, with any tags."""
    body = deployment_body("blue", release="live", count=draw(st.integers(1, 9)))
    body["tags"] |= draw(
        st.dictionaries(st.sampled_from(["team", "amldeploy-commit", "amldeploy-model"]), st.just("x"))
    )
    for row in draw(st.lists(st.sampled_from(FREE), unique_by=lambda row: row.yaml)):
        put(body, row.arm, draw(st.sampled_from(samples_of(row))).arm)
    return body


def moved(
    files: EndpointSpec, body: dict[str, Any], behind: dict[str, Any], name: str = "mip-ab-00abc"
) -> EndpointSpec:
    return live_release.live_spec(files.with_name(name), body, behind)


@settings(max_examples=25)
@given(deployments())
def test_the_live_deployment_is_copied_unchanged(body: dict[str, Any]) -> None:
    """The successor's document equals the live deployment in every field and tag."""
    files = spec(release="files", pipeline=SHARED, instance_count=17, environment_variables={"NEW": "1"})
    made = planner.plan_release(
        environment(), [moved(files, endpoint_body({"blue": 100}), {"blue": body})], {"mip": facts()}
    )
    (step,) = [each for each in made.steps if each.kind == "deployment"]
    document = step.body["document"]

    assert diff.changes(document, body, diff.DEPLOYMENT) == ()
    assert document["tags"] == body["tags"]
    assert (document["name"], document["endpoint_name"]) == ("blue", "mip-ab-00abc")


@settings(max_examples=25)
@given(deployments())
def test_the_endpoint_that_serves_needs_no_step(body: dict[str, Any]) -> None:
    """Its live release is deployed already, whatever the files contain."""
    there = endpoint_body({"blue": 100}, tags={OWNER_TAG: OWNER, "cost": "1"})
    made = moved(spec(release="files", instance_count=17), there, {"blue": body}, "mip-ab")

    assert planner.plan_release(environment(), [made], {"mip": facts(there, (body,))}).steps == ()


def test_the_successor_gets_no_lease_or_history() -> None:
    """Nor notices; other tags, properties and settings are copied."""
    ours = {leases.ENDS_TAG: "x", leases.NOTICED_TAG: "x", "amldeploy-live": "x", OWNER_TAG: OWNER}
    body = endpoint_body({"blue": 100}, tags={**ours, "cost": "1", PROTECT_TAG: "false"})
    body["properties"] |= {
        "authMode": "AADToken", "description": "rounds", "publicNetworkAccess": "Disabled",
        "properties": {"SharedComputeCapacityEnabled": "true", "targetautodeletiontime": "x", "contract": "7"},
    }  # fmt: skip

    assert moved(spec(), body, {"blue": deployment_body("blue")}).endpoint == {
        "name": "mip-ab-00abc",
        "description": "rounds",
        "auth_mode": "aad_token",
        "identity": {"type": "system_assigned"},
        "public_network_access": "disabled",
        "tags": {"cost": "1", PROTECT_TAG: "false", leases.SUCCEEDS_TAG: "mip-ab"},
        "properties": {"contract": "7"},
    }


@pytest.mark.parametrize(
    ("traffic", "files", "wanted"),
    [
        ({"blue": 100}, None, {"blue": 100}),
        ({"blue": 10, "green": 90}, None, {"green": 100}),
        ({"old": 80, "new": 20}, None, {"old": 80, "new": 20}),
        ({"blue": 100}, {"blue": 100, "spare": 0, "ill": 0, "absent": 0}, {"blue": 100, "spare": 0}),
    ],
    ids=["one slot", "a rollout that was not finished", "a split", "named in the files"],
)
def test_which_deployments_the_successor_gets(
    traffic: dict[str, int], files: dict[str, int] | None, wanted: dict[str, int]
) -> None:
    """Of blue and green the live one. Of named deployments all with traffic, and healthy ones in the files."""
    behind = {name: deployment_body(name) for name in (*traffic, "spare", "ill", "green")}
    behind["ill"]["properties"]["provisioningState"] = "Failed"
    given_ = spec(traffic=files)
    written = tuple({**given_.deployments[0], "name": name} for name in files or ("blue",))
    given_ = EndpointSpec(
        **{**vars(given_), "deployments": written, "releases": dict.fromkeys(files or ("blue",), "r1")}
    )
    made = moved(given_, endpoint_body(traffic), behind)

    assert made.traffic == wanted
    assert {str(document["name"]) for document in made.deployments} == wanted.keys()


def test_a_probe_verifies_an_unverified_release() -> None:
    """The successor is probed before it gets traffic. Without a probe the release stays unverified."""
    body = deployment_body("blue", release=f"r1{UNVERIFIED}")
    there = endpoint_body({"blue": 100})

    assert moved(spec(pipeline={"probe": {"type": "http"}}), there, {"blue": body}).releases == {"blue": "r1"}
    assert moved(spec(), there, {"blue": body}).releases == {"blue": f"r1{UNVERIFIED}"}
    del body["tags"][RELEASE_TAG]
    assert len(moved(spec(), there, {"blue": body}).releases["blue"]) == 12


def test_a_list_without_the_live_deployment_is_an_error() -> None:
    """A successor never gets a part of the live deployments."""
    with pytest.raises(CloudError, match="green has traffic and is not in Azure's list"):
        moved(spec(), endpoint_body({"green": 100}), {"blue": deployment_body("blue")})


def leased(name: str, ends: str, traffic: dict[str, int] | None = None, **tags: str) -> dict[str, Any]:
    body = endpoint_body({"blue": 100} if traffic is None else traffic)
    properties = {leases.ENABLED: "true", leases.DEADLINE: ends}
    properties = {**body["properties"], "properties": properties}
    return {**body, "name": name, "tags": {OWNER_TAG: OWNER, **tags}, "properties": properties}


NOW = leases.parse_time("2026-12-01T00:00:00Z")
LATE, SOON = "2026-12-07T00:00:00Z", "2026-12-01T05:00:00Z"


@pytest.mark.parametrize(
    ("first", "names"),
    [
        (leased("mip-ab", SOON), ["mip-ab"]),
        (leased("mip-ab", SOON, **{PROTECT_TAG: "yes"}), []),
        (leased("mip-ab", LATE, **{leases.RESTORED_TAG: "x"}), []),
        (leased("mip-ab", SOON, **{leases.RESTORED_TAG: "x"}), ["mip-ab"]),
    ],
    ids=["a predecessor", "a protected one", "restored later", "restored and then renewed"],
)
def test_which_predecessors_a_renewal_deletes(first: dict[str, Any], names: list[str]) -> None:
    """Not a protected one, and not one that was restored after the serving one was created."""
    second = leases.successor("mip-ab", leases.Lease("mip-ab", leases.parse_time(SOON)))  # type: ignore[arg-type]
    bodies = {"mip-ab": first, second: leased(second, LATE)}
    assert NOW is not None
    found = lineage.due_renewals([spec(pipeline=SHARED)], bodies, NOW, 24)

    assert [old.name for renewal in found for old in renewal.predecessors] == names


@pytest.mark.parametrize("capacity", ["shared", "dedicated"])
def test_a_lease_is_renewed_whatever_the_files_contain(capacity: str) -> None:
    """The endpoint has the lease, not the files."""
    assert NOW is not None
    (renewal,) = lineage.due_renewals(
        [spec(pipeline={"quota": {"capacity": capacity}})], {"mip-ab": leased("mip-ab", SOON)}, NOW, 24
    )

    assert (renewal.serving, renewal.successor.name[:7]) == ("mip-ab", "mip-ab-")


def test_an_endpoint_that_was_never_live_is_not_renewed() -> None:
    """Apply deploys it from the files."""
    assert NOW is not None
    bodies = {"mip-ab": leased("mip-ab", SOON, {})}

    assert lineage.due_renewals([spec(pipeline=SHARED)], bodies, NOW, 24) == []


@pytest.mark.parametrize(
    ("tag", "name"),
    [("other", "mip-ab"), (leases.SUCCEEDS_TAG, "mip-ab-12345"), (leases.RESTORED_TAG, "mip-ab-12345")],
)
def test_on_dedicated_quota_a_new_name_is_not_a_successor(tag: str, name: str) -> None:
    """A name in a successor's form needs a lease, or a tag of a renewal or a restore."""
    there = endpoint_body({"blue": 100}, name="mip-ab-12345", tags={OWNER_TAG: OWNER, tag: "x"})

    assert lineage.with_current_names([spec()], {"mip-ab-12345": there})[0].name == name


def test_a_second_attempt_keeps_the_record_of_the_assets() -> None:
    """The successor's deployment failed. The next PUT still has the tag with the asset."""
    body = deployment_body("blue")
    body["tags"]["amldeploy-model"] = "azureml:m:1"
    failed = {**body, "properties": {**body["properties"], "provisioningState": "Failed"}}
    there = facts(endpoint_body({}, name="mip-ab-00abc"), (failed,))
    live = moved(spec(pipeline=SHARED), endpoint_body({"blue": 100}), {"blue": body})
    made = planner.plan_release(environment(), [live], {"mip": there})
    (step,) = [each for each in made.steps if each.kind == "deployment"]

    assert step.body["document"]["tags"]["amldeploy-model"] == "azureml:m:1"
