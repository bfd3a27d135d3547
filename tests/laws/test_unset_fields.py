"""Fields that the files do not set are not ours: other changes preserve them, or the plan lists them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy import diff
from deploy.config import reader, validation
from deploy.domain import file_list, history, provenance
from deploy.domain.arm import RELEASE_TAG
from tests.laws.ground import Ground, put
from tests.outsider import Outsider
from tests.table import SAMPLES

KEPT_OUT = ("identity", "code_", "private_", "instance_", "model", "scale_", "data_collector")
"""Rows that the files set, that cannot change live, or that have no known final state."""
ENDPOINT, DEPLOYMENT = (
    [row for row in table if row.mutability is diff.Mutability.UPDATE and not row.yaml.startswith(KEPT_OUT)]
    for table in (diff.ENDPOINT, diff.DEPLOYMENT)
)


@pytest.fixture(params=["in_place", "blue_green"])
def ground(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Ground]:
    """Minimal files; then another client sets every field that they leave open."""
    found = Ground(tmp_path, request.param)
    found.endpoint = {"name": "all-here"}
    found.deployment = {name: found.deployment[name] for name in ("name", "endpoint_name", "instance_type", "model")}
    found.deployment["instance_count"] = 1
    found.files()
    file = validation.validate_environment(reader.read_environment(found.project.root, "law"))
    with found.project.connect(file.environment):
        found.outsider = Outsider()
        for path in ("models/m/versions/3", "environments/e/versions/2"):
            found.outsider.send("PUT", f"/{path}", {"properties": {"modelUri": "azureml://x", "image": "x"}})
        assert found.apply() == []
        for where, table in (("all-here", ENDPOINT), (found.live, DEPLOYMENT)):
            body = found.outsider.get(where)
            for row in table:
                put(body, row.arm, SAMPLES[row.yaml][1].arm)
            found.outsider.put(f"/onlineEndpoints/{where}", body)
        assert found.plan().steps == ()
        yield found


RECORDS = {*history.TAGS, *provenance.TAGS, *file_list.TAGS}


def fields(ground: Ground, where: str, table: Any) -> dict[str, Any]:
    """Every field as CLI v2 writes it, by its path, except tags that record runs."""
    found = flat(diff.to_document(ground.outsider.get(where), table))
    return {path: value for path, value in found.items() if path.removeprefix("tags.") not in RECORDS}


def flat(document: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in document.items():
        found |= flat(value, f"{above}{name}.") if isinstance(value, Mapping) else {f"{above}{name}": value}
    return found


def changed_paths(before: Mapping[str, Any], after: Mapping[str, Any], table: Any) -> set[str]:
    """Paths that differ, except those that the service fills in."""
    silent = {row.yaml: row.service_defaults for row in table}
    return {
        path
        for path in before.keys() | after.keys()
        if before.get(path) != after.get(path) and before.get(path) not in silent.get(path, ())
    } | {path for path in after.keys() - before.keys() if after[path] not in silent.get(path, (None,))}


def announced(ground: Ground, step_type: str) -> set[str]:
    return {c["path"] for s in ground.plan().steps if s.kind == step_type for c in s.body.get("changes") or ()}


def test_a_tag_change_preserves_all_other_fields(ground: Ground) -> None:
    """For endpoint and deployment: network access, variables and probes stay."""
    slot = ground.live
    before = {where: fields(ground, where, t) for where, t in (("all-here", diff.ENDPOINT), (slot, diff.DEPLOYMENT))}
    ground.files(
        endpoint={**ground.endpoint, "tags": {"new": "1"}}, deployment={**ground.deployment, "tags": {"new": "1"}}
    )
    assert ground.apply() == []

    for where, was in before.items():
        after = fields(ground, where, diff.ENDPOINT if where == "all-here" else diff.DEPLOYMENT)
        assert after == {**was, "tags.new": "1"}
    assert ground.plan().steps == ()


def test_a_release_resets_only_listed_fields(ground: Ground) -> None:
    """The endpoint is preserved through every shift. A deployment that changes in place gets the values of the files,
    and the plan lists each field that is reset.
    """
    before, slot = fields(ground, "all-here", diff.ENDPOINT), ground.live
    was = fields(ground, slot, diff.DEPLOYMENT)
    ground.files(
        deployment={**ground.deployment, "model": "azureml://registries/azureml/models/MedImageParse/versions/16"}
    )
    said = announced(ground, "deployment")
    assert ground.apply() == []

    assert fields(ground, "all-here", diff.ENDPOINT) == before
    now = fields(ground, slot, diff.DEPLOYMENT)
    if ground.live == slot:
        assert changed_paths(was, now, diff.DEPLOYMENT) == said
        assert {"environment_variables.k", "liveness_probe.initial_delay", "description"} <= said
        assert f"tags.{RELEASE_TAG}" in said
    else:
        assert now == was
    assert ground.plan().steps == ()


def test_a_rollback_changes_only_traffic(ground: Ground) -> None:
    """A rollback does not apply other changes of the files."""
    from deploy import commands

    if commands.validate(ground.project, "law")[1][0].pipeline.rollout.strategy == "in_place":
        ground.write("templates/all/pipeline.yml", {"rollout": {"strategy": "blue_green"}})
    other = {**ground.deployment, "model": "azureml://registries/azureml/models/MedImageParse/versions/16"}
    ground.files(deployment=other)
    assert ground.apply() == []
    before = fields(ground, "all-here", diff.ENDPOINT)
    ground.files(deployment=other, endpoint={**ground.endpoint, "tags": {"new": "1"}, "description": "ours"})
    done = commands.rollback(ground.project, "law", every=True, approve=lambda *_: None, emit=lambda _: None)

    assert done.report.ok
    assert fields(ground, "all-here", diff.ENDPOINT) == before
