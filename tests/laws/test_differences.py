"""Laws of the diff, on the emulator, with the real SDK: a change of another client is shown as it is, and repaired."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from deploy import diff
from deploy.config import reader, validation
from deploy.diff.values import short_reference
from deploy.errors import Refused
from tests.contract.own_code import needs_server
from tests.laws.ground import Ground, put
from tests.outsider import Outsider
from tests.table import SAMPLES, WORKSPACE

BY_FILE = {
    "scale_settings.type": "managed deployments have one",
    "code_configuration.code": "see test_an_asset_made_of_files_is_told_apart",
    "code_configuration.scoring_script": "goes with the code",
}
"""Rows that are not changed live, and why."""


def _get(body: dict[str, Any], path: str) -> Any:
    for name in path.split("."):
        body = body[name]
    return body


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Ground]:
    found = Ground(tmp_path_factory.mktemp("ground"), request.param)
    file = validation.validate_environment(reader.read_environment(found.project.root, "law"))
    with found.project.connect(file.environment):
        found.outsider = Outsider()
        for path in ("models/m/versions/3", "environments/e/versions/2", "codes/c/versions/1"):
            body = {"modelUri": "azureml://x", "image": "x", "codeUri": "https://x"}
            found.outsider.send("PUT", f"/{path}", {"properties": body})
        assert found.apply() == []
        yield found


TABLES = {"endpoint": diff.ENDPOINT, "deployment": diff.DEPLOYMENT}
LIVE = [
    (what, row)
    for what, table in TABLES.items()
    for row in table
    if row.mutability is diff.Mutability.UPDATE and row.yaml not in BY_FILE
]
"""Every row that Azure can change on what is there."""
in_place = pytest.mark.parametrize("ground", ["in_place"], indirect=True)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each row in one of the two strategies; with `--laws full` in both."""
    if "row" in metafunc.fixturenames and "what" in metafunc.fixturenames:
        full = metafunc.config.getoption("--laws", default="some") == "full"
        rows = {"in_place": LIVE if full else LIVE[::2], "blue_green": LIVE if full else LIVE[1::2]}
        cases = [(strategy, *case) for strategy, own in rows.items() for case in own]
        ids = [f"{strategy}-{what} {row.yaml}" for strategy, what, row in cases]
        metafunc.parametrize(("ground", "what", "row"), cases, ids=ids, indirect=["ground"])
    elif not any("ground" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")):
        metafunc.parametrize("ground", ["in_place", "blue_green"], indirect=True)


def test_a_live_change_is_shown_and_repaired(ground: Ground, what: str, row: diff.Field) -> None:
    """For each field: the plan shows this change and nothing else, apply repairs it, then the plan is empty."""
    one, other = SAMPLES[row.yaml]
    where = "all-here" if what == "endpoint" else ground.live
    body = ground.outsider.get(where)
    put(body, row.arm, other.arm)
    ground.outsider.put(f"/onlineEndpoints/{where}", body)
    (step,) = [step for step in ground.plan().steps if step.changes]

    assert [(c["path"], c["before"], c["after"]) for c in step.body["changes"]] == [
        (row.yaml.replace("*", "k"), other.yaml, one.yaml)
    ]
    assert ground.apply() == []
    assert ground.plan().steps == ()


def test_immutable_fields_are_refused(ground: Ground) -> None:
    """A changed identity or property of an endpoint is refused with its position; nothing is sent."""
    for change, code in (({"identity": {"type": "none"}}, "AML220"), ({"properties": {"k": "2"}}, "AML221")):
        ground.files(endpoint={**ground.endpoint, **change, "traffic": {"blue": 100}})
        with pytest.raises(Refused, match=code):
            ground.plan()
    for change in ({"instance_type": "Standard_F4s_v2"}, {"properties": {"k": "2"}}):
        named = {**ground.endpoint, "traffic": {"blue": 100}}
        ground.files(endpoint=named, deployment={**ground.deployment, **change})
        with pytest.raises(Refused, match="AML222"):
            ground.plan()
    ground.files()
    assert ground.plan().steps == ()


@in_place
def test_instance_count_changes_in_its_own_step(ground: Ground) -> None:
    """Two changes in one apply are two steps: a PATCH of the count, then the rest."""
    changed = copy.deepcopy(ground.deployment)
    changed |= {"instance_count": 3, "description": "two things at once"}
    ground.files(deployment=changed)
    whys = [step.why for step in ground.plan().steps if step.changes]

    assert whys[0] == "instance_count 1 -> 3"
    assert len(whys) == 2
    assert ground.apply() == []
    assert ground.plan().steps == ()
    ground.files()
    assert ground.apply() == []
    assert ground.plan().steps == ()


@in_place
def test_local_files_are_compared_by_release(ground: Ground) -> None:
    """A local model and environment: plan after apply is empty, and changed content is one change."""
    weights = ground.project.root / "templates/all/weights/w.bin"
    weights.parent.mkdir()
    weights.write_bytes(b"one")
    inline = {"image": "mcr.microsoft.com/mine:1", "conda_file": {"dependencies": ["python=3.11"]}}
    model = {"path": "weights", "type": "mlflow_model"}
    ground.files(deployment={**ground.deployment, "model": model, "environment": inline})
    assert ground.apply() == []
    assert ground.plan().steps == ()
    weights.write_bytes(b"two")
    (step,) = [step for step in ground.plan().steps if step.changes]

    assert [change["path"] for change in step.body["changes"]] == ["tags.amldeploy-release"]
    assert ground.apply() == []
    assert ground.plan().steps == ()
    ground.files()
    assert ground.apply() == []


CODE = {"code": "src", "scoring_script": "score.py"}
IMAGE = {"image": "mcr.microsoft.com/mine:1"}
FILES = {
    "model": ({"model": {"path": "weights"}}, "models/m/versions/3", "model"),
    "environment": ({"environment": IMAGE}, "environments/e/versions/2", "environmentId"),
    "code_configuration.code": ({"code_configuration": CODE}, "codes/c/versions/1", "codeConfiguration.codeId"),
}
"""Field -> what a file says, what an outsider puts in its place, and where."""


@in_place
@pytest.mark.parametrize("field", ["model", "environment", pytest.param("code_configuration.code", marks=needs_server)])
def test_another_asset_in_place_of_local_files_is_repaired(ground: Ground, field: str) -> None:
    """Files do not contain the name of the asset that was registered from them; another asset in its place is one
    change and is repaired.
    """
    said, other, arm = FILES[field]
    for name in ("weights/w.bin", "src/score.py"):
        file = ground.project.root / "templates/all" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("def init(): pass\ndef run(data): return data\n")
    ground.files(deployment={**ground.deployment, **said})
    assert ground.apply() == []
    assert ground.plan().steps == ()
    where = "all-here/deployments/blue"
    body = ground.outsider.get(where)
    made = _get(body, f"properties.{arm}")
    put(body, f"properties.{arm}", f"{WORKSPACE}/{other}")
    ground.outsider.put(f"/onlineEndpoints/{where}", body)
    (step,) = [step for step in ground.plan().steps if step.changes]

    before, after = short_reference(f"{WORKSPACE}/{other}"), short_reference(made)
    assert [(c["path"], c["before"], c["after"]) for c in step.body["changes"]] == [(field, before, after)]
    assert ground.apply() == []
    assert _get(ground.outsider.get(where), f"properties.{arm}") == made
    assert ground.plan().steps == ()
    ground.files()
    assert ground.apply() == []
    assert ground.plan().steps == ()


@pytest.mark.parametrize("path", ["instance_type", "properties.*"])
def test_a_recreated_deployment_is_repaired(ground: Ground, path: str) -> None:
    """A deployment that another client recreated with an immutable change is one change, made next to it under either
    strategy.
    """
    (row,) = [row for row in diff.DEPLOYMENT if row.yaml == path]
    assert row.mutability is not diff.Mutability.UPDATE
    one, other = SAMPLES[path]
    where = ground.live
    slot, body = where.rpartition("/")[2], ground.outsider.get(where)
    put(body, row.arm, other.arm)
    ground.move_traffic()
    ground.outsider.send("DELETE", f"/onlineEndpoints/{where}")
    ground.outsider.gone(f"/onlineEndpoints/{where}")
    ground.outsider.put(f"/onlineEndpoints/{where}", body)
    ground.move_traffic(slot)
    made, shift = [step for step in ground.plan().steps if step.changes]

    name = path.replace("*", "k")
    assert [(c["path"], c["before"], c["after"]) for c in made.body["changes"]] == [(name, other.yaml, one.yaml)]
    assert made.why == f"{name} {other.yaml} -> {one.yaml}, next to {slot}"
    assert shift.body["before"] == {slot: 100}
    assert ground.apply() == []
    assert ground.plan().steps == ()
    ground.outsider.send("DELETE", f"/onlineEndpoints/{where}")
    ground.outsider.gone(f"/onlineEndpoints/{where}")


@in_place
def test_a_registered_custom_model_needs_a_scoring_server(ground: Ground) -> None:
    """Azure would refuse the deployment with MissingDriverProgram; the plan does before any change."""
    bare = {key: item for key, item in ground.deployment.items() if key not in ("environment", "model_mount_path")}
    for name, kind in (("mine", "custom_model"), ("flow", "mlflow_model")):
        ground.outsider.send("PUT", f"/models/{name}/versions/1", {"properties": {"modelUri": "x", "modelType": kind}})
    ground.files(deployment={**bare, "model": "azureml:mine:1"})
    with pytest.raises(Refused, match=r"AML357 .*azureml:mine:1 is a custom model"):
        ground.plan()
    ground.files(deployment={**bare, "model": "azureml:flow:1"})
    assert ground.plan().steps
    ground.files()


def test_a_recreated_endpoint_with_another_identity_is_refused(ground: Ground) -> None:
    """An endpoint that another client recreated with another identity is not deleted: the plan is refused and
    names it.
    """
    body = ground.outsider.get("all-here")
    ground.outsider.send("DELETE", "/onlineEndpoints/all-here")
    ground.outsider.gone("/onlineEndpoints/all-here")
    ground.outsider.endpoint(
        "all-here",
        tags=body["tags"],
        identity={"type": "None"},
        properties={"authMode": "Key", "properties": {"k": "1"}},
    )

    with pytest.raises(Refused, match=r"AML220 .*identity of an endpoint that exists: it is none"):
        ground.plan()
