"""The check of pinned versions: does a model or an environment exist in this version with other content.

Only for deployments whose release does not exist yet. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.cloud import endpoints, registry
from deploy.cloud.connect import Cloud
from deploy.cloud.error_translation import try_read
from deploy.domain import asset_content
from deploy.domain.arm import Facts, Json, address, facts_of, release_of
from deploy.domain.plan import Desired, Step
from deploy.domain.report import Evidence
from deploy.domain.spec import EndpointSpec
from deploy.preflight import asset_versions
from deploy.preflight import permissions as rights

NAME = asset_versions.NAME
VOLATILE_FACTS = (NAME,)
_MOST = 20
"""Newest versions that are kept, to find the next free one."""


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`version/<key>/<name in the files>`: {release, assets} of each deployment that pins a version and whose release
    does not exist; `assets`: rows of `asset_versions`. One list for each asset.
    """
    pinning = [document for document in spec.deployments if any(asset_content.pinned(document))]
    exists = pinning and spec.name in endpoints.list_endpoints(cloud)
    held = {release_of(body) for body in endpoints.read_deployments(cloud, spec.name).values()} if exists else set()
    return {
        address(NAME, spec.key, name): {
            "release": spec.releases[name],
            "assets": [_row(cloud, field, asset, spec) for field, asset in asset_content.pinned(document)],
        }
        for document in pinning
        if spec.releases[name := str(document["name"])] not in held
    }


def plan(desired: Desired | None, facts: Facts) -> Sequence[Step]:
    """A check for each deployment that gets a release with a pinned version."""
    if desired is None:
        return ()
    key = desired.spec.key
    pinned = {str(row["release"]): row["assets"] for row in facts_of(facts, NAME, key).values()}
    return [
        asset_versions.check(rows).step(address(NAME, key, name), {"assets": rows})
        for name, document in desired.deployments.items()
        if (rows := pinned.get(release_of(document)))
    ]


def permissions(spec: EndpointSpec, step: Step) -> tuple[str, Sequence[str]]:  # noqa: ARG001 as every step type
    """Without these it is unknown."""
    return "workspace", (*rights.READ_MODELS, *rights.READ_ENVIRONMENTS)


def run(cloud: Cloud, step: Step) -> Evidence:
    """Reads the versions again right before the first change."""
    rows = [_with_existing(cloud, row) for row in step.body["assets"]]
    return asset_versions.check(rows).evidence(step.address, {"assets": rows})


def _row(cloud: Cloud, field: str, asset: Mapping[str, Json], spec: EndpointSpec) -> dict[str, Json]:
    desired = asset_content.of_files(field, asset, cloud.root / spec.folder)
    row = {"field": field, "name": str(asset["name"]), "version": str(asset["version"]), "desired": desired}
    return _with_existing(cloud, row)


def _with_existing(cloud: Cloud, row: Mapping[str, Json]) -> dict[str, Json]:
    """The row with what the workspace has now. A version that cannot be read refuses nothing."""
    name, version = str(row["name"]), str(row["version"])
    answer, unread = try_read(lambda: registry.read_version(cloud, f"{row['field']}s", name, version))
    body, versions = answer or (None, [])
    existing = None if body is None else asset_content.of_version(str(row["field"]), body.get("properties") or {})
    return {**row, "existing": existing, "versions": versions[:_MOST], "unread": unread}
