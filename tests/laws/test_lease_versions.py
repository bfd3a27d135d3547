"""No document states which api-version preserves a lease, so a lease that the service drops is detected and requested
again.

The world file sets from which api-version on the emulator preserves the two properties.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from deploy import commands, emulator
from deploy.cloud.shared_quota import KNOWN
from deploy.domain import leases
from deploy.errors import Exit
from tests.addresses import addr
from tests.laws.conftest import WORKSPACE, World, write_project
from tests.laws.stage import Ahead


def lent(folder: Path, since: str, **quota: str) -> World:
    """A project on shared quota, and an emulator that drops leases that are requested with an older api-version."""
    world = write_project(folder, clock=Ahead())
    pipeline = {"quota": {"capacity": "shared", **quota}, "retry": {"attempts": 1, "deadline": "10m"}}
    (world.project.root / "templates" / "plain" / "pipeline.yml.j2").write_text(yaml.safe_dump(pipeline))
    (folder / "world.yml").write_text(yaml.safe_dump({"settings": {"shared_quota_since": since}}))
    emulator.launch(world.state, profile="instant", world=folder / "world.yml")
    return world


def carried(world: World) -> list[tuple[str, str]]:
    """(method, api-version) of each request that created or deleted the endpoint, in order, without the
    traffic update.
    """
    rows = [(row, urlsplit(row["path"])) for row in emulator.requests(world.state) if row["mutating"]]
    return [
        (row["method"], parse_qs(url.query)["api-version"][0])
        for row, url in rows
        if url.path.rpartition("/")[0].endswith("/onlineEndpoints") and row["status"] < 300
    ]


def apply(world: World) -> tuple[commands.Result, list[Any]]:
    """Apply; return the existing endpoints, read while the emulator still runs."""
    seen: list[Any] = []
    done = commands.apply(
        world.project, "law", approve=lambda *_: None,
        emit=lambda _: seen.append(world.read(f"{WORKSPACE}/onlineEndpoints")),
    )  # fmt: skip
    return done, seen[-1]


SDK = "2022-02-01-preview"
TRAFFIC = ("PUT", SDK)
WAYS: dict[str, tuple[str, dict[str, str], list[tuple[str, str]], str]] = {
    "kept": ("", {}, [("PUT", SDK), TRAFFIC], ""),
    "dropped": (
        KNOWN, {}, [("PUT", SDK), ("DELETE", SDK), ("PUT", KNOWN), TRAFFIC],
        f"created with api-version {KNOWN}, because azure-ai-ml's own did not save the lease",
    ),
    "past the SDK at once": (
        KNOWN, {"api_version": "2025-04-01-preview"}, [("PUT", "2025-04-01-preview"), TRAFFIC],
        "created with api-version 2025-04-01-preview",
    ),
}  # fmt: skip
"""What preserves leases, the setting in the files, the requests, the note in the output."""


@pytest.mark.parametrize("way", WAYS)
def test_a_dropped_lease_is_requested_again(tmp_path: Path, way: str) -> None:
    """First through the SDK; an endpoint that lost its lease is deleted and recreated with the documented
    api-version.
    """
    since, quota, expected, words = WAYS[way]
    world = lent(tmp_path, since, **quota)
    done, endpoints = apply(world)
    emulator.stop(world.state)
    (told,) = [o.evidence.summary for o in done.report.outcomes if o.address == addr("endpoint/mip")]

    assert done.report.exit is Exit.OK
    assert carried(world) == expected
    assert [leases.of(body) is not None for body in endpoints] == [True]
    assert words in told


def test_a_service_without_leases_is_refused(tmp_path: Path) -> None:
    """Dropped by the SDK's api-version and by the documented one: refused with the field to change; nothing is left."""
    world = lent(tmp_path, "2030-01-01")
    done, endpoints = apply(world)
    emulator.stop(world.state)
    (error,) = [o.error for o in done.report.outcomes if o.error]

    assert done.report.exit is Exit.STEP_FAILED
    assert error["code"] == "AML318"
    assert "quota.api_version" in error["cure"]
    assert carried(world) == [("PUT", SDK), ("DELETE", SDK), ("PUT", KNOWN), ("DELETE", SDK)]
    assert endpoints == []
