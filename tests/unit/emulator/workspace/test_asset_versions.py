"""Asset versions: their content is fixed, and Azure writes a part of their body."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploy.emulator.seed import default_world
from deploy.emulator.wire.responses import Refusal
from deploy.emulator.workspace import asset_body
from tests.unit.emulator.azure import WORKSPACE, Azure, Reply

STORE = (
    f"azureml://subscriptions/{default_world.SUBSCRIPTION}/resourceGroups/rg-local/workspaces/mlw-local/datastores/d"
)
FILES = {
    "models": {"modelUri": f"{STORE}/paths/one"}, "codes": {"codeUri": "https://a.blob.core.windows.net/one"},
    "environments": {"image": "one"}, "data": {"dataUri": f"{STORE}/paths/one", "dataType": "uri_file"},
}  # fmt: skip
CONDA = "channels:\n- conda-forge\ndependencies:\n- python=3.8\n- pip:\n  - numpy\nname: mine\n"


def put(azure: Azure, kind: str, version: str = "1", name: str = "mine", **properties: Any) -> Reply:
    path = f"{WORKSPACE}/{kind}/{name}/versions/{version}"
    return azure.send("PUT", path, {"properties": {**FILES.get(kind, {}), **properties}})


def names(azure: Azure, path: str) -> list[str]:
    return [item["name"] for item in azure.send("GET", f"{WORKSPACE}/{path}").json["value"]]


@pytest.mark.parametrize(
    ("kind", "other", "status", "message"),
    [
        ("models", {"modelUri": f"{STORE}/paths/two"}, 400, "Asset paths cannot be updated."),
        ("codes", {"codeUri": "https://a.blob.core.windows.net/two"}, 400, "Asset paths cannot be updated."),
        ("data", {"dataUri": f"{STORE}/paths/two"}, 400, "the existing asset's data uri cannot be changed"),
        ("environments", {"image": "two"}, 409, "mine with version 1 is already registered and cannot be changed."),
        ("environments", {"condaFile": CONDA}, 409, "already registered"),
        ("environments", {"image": None, "build": {"contextUri": "https://a/two"}}, 409, "already registered"),
    ],
)
def test_other_content_is_refused(azure: Azure, kind: str, other: dict[str, Any], status: int, message: str) -> None:
    """The version keeps what it has."""
    before = put(azure, kind, tags={"a": "b"}).json
    refused = put(azure, kind, **other)
    assert (refused.status, refused.code) == (status, "UserError")
    assert message in refused.message
    assert azure.send("GET", before["id"]).json == before


@pytest.mark.parametrize("kind", ["models", "codes", "data", "environments"])
def test_the_same_content_is_accepted_with_other_tags(azure: Azure, kind: str) -> None:
    """Tags and description are replaced, and the creation stays. A repeated PUT of an environment is a 201."""
    first = put(azure, kind, tags={"a": "b"}, description="old")
    azure.clock.advance(60)
    again = put(azure, kind, tags={"c": "d"})
    changed = again.json["properties"]
    assert (first.status, again.status) == (201, 201 if kind == "environments" else 200)
    assert (changed["tags"], changed["description"]) == ({"c": "d"}, None)
    before, after = first.json["systemData"], again.json["systemData"]
    assert before["createdAt"] == after["createdAt"]
    assert (after["lastModifiedAt"] == before["lastModifiedAt"]) == (kind == "environments")


def test_only_a_201_has_an_address(azure: Azure) -> None:
    """With the query of the request."""
    first, again = put(azure, "models"), put(azure, "models")
    address = f"https://127.0.0.1:1234{first.json['id']}?api-version=2023-04-01-preview"
    assert first.headers["location"] == address
    assert "location" not in again.headers
    assert "location" in (put(azure, "environments") and put(azure, "environments")).headers


def test_a_component_can_be_replaced(azure: Azure) -> None:
    """What Azure does is unknown."""
    put(azure, "components", componentSpec={"a": 1})
    assert put(azure, "components", componentSpec={"a": 2}).json["properties"]["componentSpec"] == {"a": 2}


def test_an_environment_has_what_azure_writes(azure: Azure) -> None:
    """The recorded keys, and the conda file as JSON; the body that is read is that of the PUT."""
    made = put(azure, "environments", condaFile=CONDA).json
    conda = {"channels": ["conda-forge"], "dependencies": ["python=3.8", {"pip": ["numpy"]}], "name": "mine"}
    assert made["properties"] == {
        "description": None, "tags": {}, "properties": {"azureml.labels": "latest"}, "isArchived": False,
        "isAnonymous": False, "environmentType": "UserCreated", "image": "one",
        "condaFile": json.dumps(conda, indent=2), "osType": "Linux", "autoRebuild": "Disabled",
        "provisioningState": "Succeeded", "stage": "Development",
    }  # fmt: skip
    assert azure.send("GET", made["id"]).json == made
    assert put(azure, "environments", name="AzureML-mine").json["properties"]["environmentType"] == "Curated"
    built = put(azure, "environments", name="built", image=None, build={"contextUri": "https://a/b"}).json["properties"]
    assert (built["build"]["dockerfilePath"], built["condaFile"], "image" in built) == ("Dockerfile", "", False)


def test_what_was_read_can_be_written_back(azure: Azure) -> None:
    """As clients do it to archive a version: the conda file is then JSON, and the label is not theirs."""
    made = put(azure, "environments", condaFile=CONDA).json
    put(azure, "environments", "2")
    back = azure.send("PUT", made["id"], {"properties": {**made["properties"], "tags": {"a": "b"}}})
    assert (back.status, back.json["properties"]["properties"]) == (201, {"azureml.labels": ""})
    assert back.json["properties"]["condaFile"] == made["properties"]["condaFile"]
    ordered = "name: mine\n" + CONDA.replace("name: mine\n", "")
    assert put(azure, "environments", condaFile=ordered).status == 201


def test_a_model_has_what_azure_writes(azure: Azure) -> None:
    """The recorded keys; the case of the path is Azure's; flavors of a model stay."""
    flavors = {"sklearn": {"data": {"sklearn_version": "1.1"}}}
    made = put(azure, "models", modelType="mlflow_model", flavors=flavors).json
    assert made["properties"] == {
        "description": None, "tags": {}, "properties": {}, "isArchived": False, "isAnonymous": False,
        "flavors": flavors, "modelType": "mlflow_model", "modelUri": f"{STORE}/paths/one", "jobName": None,
        "provisioningState": "Succeeded", "stage": "Development",
    }  # fmt: skip
    low = f"{STORE}/paths/one".replace("resourceGroups", "resourcegroups")
    again = put(azure, "models", modelType="mlflow_model", modelUri=low)
    assert (again.status, again.json["properties"]) == (200, made["properties"])


def test_the_short_path_of_data_is_shown_in_full(azure: Azure) -> None:
    """Both are the same content."""
    made = put(azure, "data", dataUri="azureml://datastores/d/paths/x").json["properties"]
    assert made["dataUri"] == f"{STORE}/paths/x".replace("resourceGroups", "resourcegroups")
    assert put(azure, "data", dataUri=made["dataUri"]).status == 200


def test_the_caller_is_recorded(azure: Azure) -> None:
    """As an application or a user."""
    made = put(azure, "codes").json["systemData"]
    assert (made["createdBy"], made["createdByType"]) == ("amldeploy-local", "Application")
    me = azure.sign_in("ada@example.com", "User")
    azure.assign_role(me, "f6c7c914-8db3-469d-8ca1-694a8f32e121", WORKSPACE)
    changed = put(azure, "codes").json["systemData"]
    assert (changed["createdByType"], changed["lastModifiedByType"]) == ("Application", "User")
    assert changed["lastModifiedBy"] == "ada@example.com"


def test_archived_versions_are_listed_on_request(azure: Azure) -> None:
    """Archived is a stage, too. The stage in a request wins: clients leave it out to archive."""
    for version in ("1", "2"):
        put(azure, "models", version)
    archived = put(azure, "models", isArchived=True)
    assert (archived.status, archived.json["properties"]["stage"]) == (200, "Archived")
    lists = {view: names(azure, f"models/mine/versions{view}") for view in ("", "?listViewType=ArchivedOnly")}
    assert lists == {"": ["2"], "?listViewType=ArchivedOnly": ["1"]}
    assert names(azure, "models/mine/versions?listViewType=All&$orderBy=createdtime asc") == ["1", "2"]
    kept = put(azure, "models", isArchived=True, stage="Development").json["properties"]
    assert (kept["isArchived"], kept["stage"]) == (False, "Development")
    assert put(azure, "models").json["properties"]["stage"] == "Development"
    assert azure.send("GET", f"{WORKSPACE}/models/mine/versions?listViewType=Some").status == 400


def test_lists_are_filtered_and_limited(azure: Azure) -> None:
    """By stage, version, description, tags and properties; $top and $skip count from the newest."""
    put(azure, "models", "1", stage="Production", tags={"a": "b"}, properties={"k": "v"}, description="one two")
    for version in ("2", "3"):
        put(azure, "models", version)
    found = {
        query: names(azure, f"models/mine/versions?{query}")
        for query in (
            "stage=Production", "version=2", "description=one two", "tags=a", "tags=a=c", "properties=k=v",
            "$top=1", "$top=1&$skip=1", "$skip=2", "$orderBy=createdtime desc&$top=2", "count=2",
        )
    }  # fmt: skip
    assert list(found.values()) == [["1"], ["2"], ["1"], ["1"], [], ["1"], ["3"], ["2"], ["1"], ["3", "2"], ["3", "2"]]


def test_a_page_has_the_address_of_the_next(azure: Azure) -> None:
    """`count` is the size of a page, `$top` the length of the list."""
    for version in ("1", "2", "3"):
        put(azure, "models", version)
    page = azure.send("GET", f"{WORKSPACE}/models/mine/versions?count=2").json
    rest = azure.send("GET", page["nextLink"].removeprefix("https://127.0.0.1:1234")).json
    assert ([item["name"] for item in rest["value"]], "nextLink" in rest) == (["1"], False)
    assert "nextLink" not in azure.send("GET", f"{WORKSPACE}/models/mine/versions?$top=2").json


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("models/none", "ModelNotFound Model container with name: none not found."),
        ("models/none/versions", "ModelNotFound Model container with name: none not found."),
        ("models/none/versions/1", "ModelNotFound Model asset with name: none and version: 1 not found."),
        ("environments/none", "No environment exists for name: none, version: , label: "),
        ("environments/none/versions/1", "No environment exists for name: none, version: 1, label: "),
        ("codes/none/versions/1", "NotFound Code asset with name: none and version: 1 not found."),
    ],
)
def test_what_is_missing_is_named(azure: Azure, path: str, message: str) -> None:
    """Each kind has its own recorded form; codes that do not exist are an empty list."""
    missing = azure.send("GET", f"{WORKSPACE}/{path}")
    assert (missing.status, missing.code, missing.headers["x-ms-response-type"]) == (404, "UserError", "error")
    assert message in missing.message
    inner = [item["info"]["value"]["code"] for item in missing.json["error"]["additionalInfo"][5:]]
    assert inner == (["NotFoundError"] if path.startswith("environments") else [])
    assert azure.send("GET", f"{WORKSPACE}/codes/none/versions").json == {"value": []}


@pytest.mark.parametrize("text", ["- a list", "a: [", "42", "a: &a [*a]", '{"a": NaN}'])
def test_a_conda_file_must_be_a_mapping(azure: Azure, text: str) -> None:
    """In YAML or JSON."""
    assert "condaFile" in put(azure, "environments", condaFile=text).message


def test_aliases_do_not_make_a_conda_file_large() -> None:
    """Ten levels of ten references would be ten billion words."""
    text = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 11))
    with pytest.raises(Refusal):
        asset_body.conda_as_json(text)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
MAPPINGS = st.dictionaries(TEXTS, VALUES, max_size=4)


@given(MAPPINGS, st.booleans())
def test_a_conda_file_keeps_its_meaning(value: dict[str, Any], as_yaml: bool) -> None:
    """From YAML or JSON, and when its JSON is written back."""
    shown = asset_body.conda_as_json(yaml.safe_dump(value) if as_yaml else json.dumps(value))
    assert json.loads(shown) == value
    assert asset_body.conda_as_json(shown) == shown


@given(st.text(max_size=40) | st.text("a:-[]{}&*!|> \n\t\"'", max_size=20))
def test_any_text_is_a_conda_file_or_refused(text: str) -> None:
    """It never fails in another way."""
    with contextlib.suppress(Refusal):
        shown = asset_body.conda_as_json(text)
        assert not shown or isinstance(json.loads(shown), dict)


@given(st.sampled_from(sorted(FILES)), st.dictionaries(TEXTS, TEXTS, max_size=2), TEXTS)
def test_content_is_compared_and_nothing_else(kind: str, others: dict[str, str], word: str) -> None:
    """The same content with any other properties is accepted; another content is refused whatever else is the same."""
    before = {**FILES[kind], **{f"x-{key}": value for key, value in others.items()}}
    key = next(iter(FILES[kind]))
    asset_body.require_same_content(kind, "n", "1", before, FILES[kind])
    with pytest.raises(Refusal):
        asset_body.require_same_content(kind, "n", "1", before, {**before, key: f"{before[key]}{word}!"})
