"""The world file: shared, durable, with operations applied by the clock."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sqlite3
from pathlib import Path

import pytest

from deploy import emulator
from deploy.emulator.entra.access_tokens import Tokens
from deploy.emulator.seed import default_world
from deploy.emulator.seed.open_world import UnreadableWorld, open_world
from tests.unit.emulator.azure import WORKSPACE, Azure

SPAWN = multiprocessing.get_context("spawn")


def _write(path: str, name: str, times: int) -> None:
    world = open_world(Path(path))
    for _ in range(times):
        with world.transaction():
            world.next_number(name)
            world.next_number("all")
    world.close()


def test_processes_share_a_new_world(tmp_path: Path) -> None:
    """Several open a missing file at once; no write is lost."""
    path = tmp_path / "world.sqlite"
    writers = [SPAWN.Process(target=_write, args=(str(path), f"p{n}", 50)) for n in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    world = open_world(path)
    with world.transaction():
        assert world.next_number("all") == 150
        assert world.get(default_world.WORKSPACE_ID) is not None
    world.close()


def _die(path: str) -> None:
    world = open_world(Path(path))
    with world.transaction():
        world.next_number("kept")
    world.db.execute("BEGIN IMMEDIATE")
    world.next_number("kept")
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_loses_no_committed_request(tmp_path: Path) -> None:
    """An uncommitted transaction is rolled back."""
    writer = SPAWN.Process(target=_die, args=(str(tmp_path / "w"),))
    writer.start()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    world = open_world(tmp_path / "w")
    with world.transaction():
        assert world.next_number("kept") == 1
    world.close()


def test_another_server_sees_the_same_world_under_its_own_address(azure: Azure, tokens: Tokens) -> None:
    """URLs have the port of the server that answers; operations continue."""
    url = azure.endpoint().headers["azure-asyncoperation"].removeprefix("https://127.0.0.1:1234")
    path = Path(azure.world.db.execute("PRAGMA database_list").fetchone()[2])
    other = Azure(path.parent, tokens)
    other.finish_operations()
    assert other.send("GET", url).json["status"] == "Succeeded"
    other.port = 99
    found = other.send("GET", f"{WORKSPACE}/onlineEndpoints/mip", headers={"host": "localhost:99"}).json["properties"]
    assert found["scoringUri"].startswith("https://localhost:99/")
    other.world.close()


def test_a_refused_request_changes_nothing(azure: Azure) -> None:
    """Also when the refusal comes late."""
    before = list(azure.world.db.iterdump())
    with contextlib.suppress(KeyError), azure.world.transaction():
        azure.world.next_number("x")
        azure.world.remove(WORKSPACE)
        raise KeyError
    assert list(azure.world.db.iterdump()) == before


def test_removal_deletes_only_the_subtree(azure: Azure) -> None:
    """An endpoint with the same prefix in its name is kept."""
    for name in ("mip", "mip0", "mip-2"):
        azure.endpoint(name)
    azure.finish_operations()
    azure.deployment("blue", "mip0")
    azure.deployment("blue", "mip")
    azure.finish_operations()
    azure.send("DELETE", f"{WORKSPACE}/onlineEndpoints/mip")
    azure.finish_operations()
    assert [item["name"] for item in azure.get("")["value"]] == ["mip-2", "mip0"]
    assert azure.send("GET", f"{WORKSPACE}/onlineEndpoints/mip0/deployments/blue").status == 200


def test_a_world_of_another_version_is_not_opened(tmp_path: Path) -> None:
    """The message has the cure."""
    db = sqlite3.connect(tmp_path / "w")
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(UnreadableWorld, match=r"another version.*amldeploy emulator reset"):
        open_world(tmp_path / "w")


@pytest.mark.parametrize("content", [b"no database at all, and long enough", b"SQLite format 3\x00" + b"\x00" * 84])
def test_an_unreadable_world_is_reported_with_its_cure(content: bytes, tmp_path: Path) -> None:
    """A reset moves it aside and creates a new one."""
    path = tmp_path / "world.sqlite"
    path.write_bytes(content)
    with pytest.raises(UnreadableWorld, match=r"world\.sqlite.*amldeploy emulator reset"):
        open_world(path)
    with pytest.raises(RuntimeError, match="amldeploy emulator reset"):
        emulator.requests(tmp_path)
    aside = emulator.reset(tmp_path)
    assert aside is not None
    assert aside.read_bytes() == content
    assert emulator.requests(tmp_path) == []
    assert emulator.reset(tmp_path) is None


def test_an_unavailable_world_is_not_changed(tmp_path: Path) -> None:
    """A folder in its place, no permission, a full disk: reported with the cure, not moved aside."""
    (tmp_path / "world.sqlite").mkdir()
    for use in (emulator.requests, emulator.reset, emulator.clock):
        with pytest.raises(emulator.WorldUnavailable, match=r"world\.sqlite.* is writable") as caught:
            use(tmp_path)
        assert not isinstance(caught.value, UnreadableWorld)
    assert [path.name for path in tmp_path.iterdir()] == ["world.sqlite"]


def test_a_truncated_world_can_be_reset(tmp_path: Path) -> None:
    """Half of the file is missing."""
    path = tmp_path / "world.sqlite"
    open_world(path).close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableWorld):
        open_world(path)
    emulator.reset(tmp_path)
    world = open_world(path)
    with world.transaction():
        assert world.get(default_world.WORKSPACE_ID) is not None
    world.close()
