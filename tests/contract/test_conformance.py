"""docs/conformance.md is up to date: the route table, recordings, specifications, clients and notes are on it."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from deploy.emulator.entra.access_tokens import Tokens
from deploy.emulator.http.routes import ROUTES
from tests.contract import clients, conformance, conformance_page, openapi
from tests.contract.recordings import RECORDINGS
from tests.unit.emulator.azure import WORKSPACE, Azure

RESULTS = conformance.load()
AGENTS = {
    "azure-ai-ml/1.35.0 azsdk-python-arm_ml_service/0.1 Python/3.11 (Linux)": "ai-ml",
    "azsdk-python-registry_discovery/0.1 Python/3.11 (Linux)": "ai-ml",
    "azsdk-python-mgmt-machinelearningservices/2.0.0b2 Python/3.11": "mgmt",
    "azsdk-python-azure-mgmt-authorization/4.0.0 Python/3.11": "mgmt",
    "azsdk-python-storage-blob/12.25 Python/3.11": "blob",
    "azsdk-python-identity/1.19 Python/3.11": "login",
    "amldeploy": "cli",
    "python-requests/2.32": "",
    "": "",
}


def test_the_page_is_generated() -> None:
    """From the committed results. Run scripts/conformance, and review the diff."""
    assert conformance.PAGE.read_text(encoding="utf-8") == conformance_page.render(RESULTS)


def test_the_page_has_one_row_for_each_operation() -> None:
    """Of the route table, without the control API."""
    rows = re.findall(r"^\| ([\w<>]+?)(?:<sup>[\d ]+</sup>)?<br>.*$", conformance.PAGE.read_text("utf-8"), re.MULTILINE)
    names = {route.name for route in ROUTES if route.plane != "control"} - {"Blob_NotEmulated"}
    assert sorted(row.replace("<wbr>", "") for row in rows) == sorted(names)


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings are here; AMLDEPLOY_RECORDINGS names their folder")
def test_the_recorded_operations_are_up_to_date() -> None:
    """Run scripts/conformance if they are not."""
    assert RESULTS.recorded == conformance.recorded()


@pytest.mark.skipif(not openapi.FOLDER.is_dir(), reason="the OpenAPI documents are not here")
def test_the_published_operations_are_up_to_date() -> None:
    """Those that the emulator answers, and the others. None is answered by a bug of the emulator."""
    assert (RESULTS.published, RESULTS.not_emulated) == conformance.published()


def test_the_results_name_operations_and_clients() -> None:
    """Of the route table, and of the list of clients."""
    names = {route.name for route in ROUTES}
    assert {*RESULTS.clients, *RESULTS.recorded, *RESULTS.published} <= names | {"NotEmulated"}
    assert {name for found in RESULTS.clients.values() for name in found} == set(clients.CLIENTS)


def test_notes_name_operations() -> None:
    """Each glob of a note matches an operation, and each note is one or two sentences."""
    names = list(conformance_page.operations())
    for each in (note for found in conformance_page.notes().values() for note in found):
        assert set(each) <= {"about", "operations", "note"}
        assert all(any(fnmatchcase(name, glob) for name in names) for glob in each.get("operations", [])), each
        assert each["note"].endswith(".")
        assert len(each["note"]) < 300


@pytest.mark.parametrize(("agent", "client"), AGENTS.items())
def test_a_client_is_known_by_its_user_agent(tmp_path: Path, agent: str, client: str) -> None:
    """As the worlds that a test run left contain it."""
    _call(tmp_path, agent)
    assert clients.called(tmp_path) == ({"Workspaces_Get": [client]} if client else {})


def test_only_success_without_a_fault_counts(tmp_path: Path) -> None:
    """Of worlds that had a server and can be read."""
    folder = tmp_path / "a"
    _call(folder, "amldeploy", f"{WORKSPACE}/onlineEndpoints/none")
    fault = {"kind": "refuse", "status": 200, "number": 1}
    _call(folder, "amldeploy", WORKSPACE, fault)
    assert clients.called(tmp_path) == {}
    _call(folder, "amldeploy", f"{WORKSPACE}/onlineEndpoints")
    (tmp_path / "b" / "tls").mkdir(parents=True)
    (tmp_path / "b" / "world.sqlite").write_bytes(b"damaged" * 1000)
    assert clients.called(tmp_path) == {"OnlineEndpoints_List": ["cli"]}
    (folder / "tls").rmdir()
    assert clients.called(tmp_path) == {}


def test_the_page_claims_no_call_that_no_test_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--check` names each such call."""
    file = tmp_path / "called.json"
    file.write_text(json.dumps(RESULTS.clients), encoding="utf-8")
    assert conformance.main(str(file), "--check") == 0
    file.write_text(json.dumps({**RESULTS.clients, "OnlineEndpoints_Get": ["ai-ml"]}), encoding="utf-8")
    assert conformance.main(str(file), "--check") == 1
    assert "that no test made: OnlineEndpoints_Get by cli, OnlineEndpoints_Get by mgmt." in capsys.readouterr().err


def _call(folder: Path, agent: str, path: str = WORKSPACE, fault: object = None) -> None:
    """One GET with this user agent in a world beside certificates."""
    (folder / "tls").mkdir(parents=True, exist_ok=True)
    azure = Azure(folder, Tokens(folder))
    if fault:
        assert azure.send("POST", "/emulator/faults", fault).status == 201
    azure.send("GET", path, headers={"user-agent": agent})
    azure.world.close()
