"""The content of models and environments in files and in Azure: equal for one upload, different for another one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploy.domain.asset_content import differing, of_files, of_version, pinned
from deploy.domain.upload_path import upload_path

WORKSPACE = "azureml://subscriptions/s/resourcegroups/rg/workspaces/ws"
HOST = "https://acct.blob.core.windows.net/azureml"
CONDA = {"channels": ["c"], "dependencies": ["python=3.11", {"pip": ["numpy"]}]}
KEYS = st.sampled_from(["channels", "dependencies", "name", "prefix", "variables"])
CONDAS = st.dictionaries(KEYS, st.lists(st.sampled_from(["a", "b=1"]), max_size=2) | st.text("xy", max_size=2))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my model").mkdir()
    (tmp_path / "my model" / "a.txt").write_text("one")
    (tmp_path / "conda.yml").write_text(yaml.safe_dump(CONDA))
    return tmp_path


def differences(field: str, asset: dict[str, Any], folder: Path, **properties: Any) -> list[str]:
    return differing(of_files(field, asset, folder), of_version(field, properties))


@pytest.mark.parametrize("above", [f"{WORKSPACE}/datastores/d/paths/LocalUpload", f"{HOST}/az-ml-artifacts"])
def test_uploaded_files(folder: Path, above: str) -> None:
    """By the path of the upload, in each form that Azure returns."""
    at = upload_path(folder / "my model")
    uri = f"{above}/{at}"
    for path in ("my model", "./my model", str(folder / "my model")):
        assert differences("model", {"path": path}, folder, modelUri=uri) == []
        assert differences("model", {"path": path}, folder, modelUri=f"{uri.replace(' ', '%20')}/") == []
        assert differences("environment", {"build": {"path": path}}, folder, build={"contextUri": f"{uri}/"}) == []
    (folder / "my model" / "a.txt").write_text("two")
    assert differences("model", {"path": "my model"}, folder, modelUri=uri) == ["files"]
    assert differences("environment", {"build": {"path": "my model"}}, folder, build={"contextUri": uri}) == [
        "build context"
    ]


@pytest.mark.parametrize(
    ("path", "uri", "found"),
    [
        ("azureml://datastores/d/paths/m", f"{WORKSPACE}/datastores/d/paths/m", []),
        ("azureml://datastores/d/paths/m/", f"{WORKSPACE}/datastores/d/paths/m", []),
        ("azureml://datastores/d/paths/m", f"{WORKSPACE}/datastores/d/paths/n", ["files"]),
        ("my model", f"{WORKSPACE}/datastores/d/paths/m", ["files"]),
        ("runs:/0/model", f"{WORKSPACE}/datastores/d/paths/m", []),
        ("azureml://jobs/0/outputs/m", f"{WORKSPACE}/datastores/d/paths/m", []),
        ("my model", "azureml://jobs/0/outputs/m", []),
        ("my model", None, []),
        ("absent", f"{WORKSPACE}/datastores/d/paths/m", []),
    ],
)
def test_addresses(folder: Path, path: str, uri: str | None, found: list[str]) -> None:
    """A path in a datastore is compared; of other addresses it is unknown what Azure makes of them."""
    assert differences("model", {"path": path}, folder, modelUri=uri) == found


def test_images(folder: Path) -> None:
    """An image, its conda file, or a build context instead of both."""
    image = {"image": "i:1"}
    assert differences("environment", image, folder, image="i:1", condaFile="") == []
    assert differences("environment", image, folder, image="i:1", condaFile=None) == []
    assert differences("environment", image, folder, image="i:2") == ["image"]
    assert differences("environment", image, folder, image="i:1", condaFile=json.dumps(CONDA)) == ["conda file"]
    assert differences("environment", {**image, "conda_file": "conda.yml"}, folder, image="i:1") == ["conda file"]
    assert differences("environment", {**image, "conda_file": "absent"}, folder, image="i:1") == []
    assert differences("environment", {"build": {"path": "my model"}}, folder, image="i:1") == [
        "build context", "dockerfile_path",
    ]  # fmt: skip
    build = {"contextUri": "https://github.com/o/r", "dockerfilePath": "D"}
    assert differences("environment", image, folder, build=build) == ["image"]
    assert differences("environment", {"build": {"path": "my model"}}, folder, build=build) == ["dockerfile_path"]


@given(CONDAS, CONDAS)
def test_conda_files(desired: dict[str, Any], existing: dict[str, Any]) -> None:
    """They are the same if their packages are, in each form; their name does not count."""
    same = {k: v for k, v in desired.items() if k not in ("name", "prefix")} == {
        k: v for k, v in existing.items() if k not in ("name", "prefix")
    }
    for text in (json.dumps(existing, indent=2), yaml.safe_dump(existing)):
        found = differences("environment", {"image": "i", "conda_file": desired}, Path(), image="i", condaFile=text)
        assert found == ([] if same else ["conda file"])


@pytest.mark.parametrize(
    ("asset", "is_pinned"),
    [
        ({"name": "m", "version": "1"}, True),
        ({"name": "m", "version": "0"}, True),
        ({"name": "m"}, False),
        ({"version": "1"}, False),
        ("azureml:m:1", False),
        (None, False),
    ],
)
def test_pinned(asset: Any, is_pinned: bool) -> None:
    """A name and a version."""
    assert [field for field, _ in pinned({"model": asset, "environment": None})] == (["model"] if is_pinned else [])
