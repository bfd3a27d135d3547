"""Nobody documents which api-version keeps a lease, so whatever the service drops is seen and made again.

The emulator is told by its world file from which api-version on it keeps the two properties.
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
from tests.laws.conftest import WORKSPACE, World, furnish
from tests.laws.stage import Ahead


def lent(folder: Path, since: str, **quota: str) -> World:
    """A project on shared quota, and an emulator that drops leases that are asked for with an older api-version."""
    world = furnish(folder, clock=Ahead())
    pipeline = {"quota": {"capacity": "shared", **quota}, "retry": {"attempts": 1, "deadline": "10m"}}
    (world.project.root / "templates" / "plain" / "pipeline.yml.j2").write_text(yaml.safe_dump(pipeline))
    (folder / "world.yml").write_text(yaml.safe_dump({"settings": {"shared_quota_since": since}}))
    emulator.launch(world.state, profile="instant", world=folder / "world.yml")
    return world


def carried(world: World) -> list[tuple[str, str]]:
    """(method, api-version) of each request that made or deleted the endpoint, in order; not the one for traffic."""
    rows = [(row, urlsplit(row["path"])) for row in emulator.requests(world.state) if row["mutating"]]
    return [
        (row["method"], parse_qs(url.query)["api-version"][0])
        for row, url in rows
        if url.path.rpartition("/")[0].endswith("/onlineEndpoints") and row["status"] < 300
    ]


def apply(world: World) -> tuple[commands.Done, list[Any]]:
    """Apply, then the endpoints that are there, read while the emulator still runs."""
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
"""What keeps leases, what the files say, what is sent, what is told of it."""


@pytest.mark.parametrize("way", WAYS)
def test_a_lease_that_was_dropped_is_asked_for_again(tmp_path: Path, way: str) -> None:
    """The SDK's way first; an endpoint that lost its lease goes and is made again with the version that is known."""
    since, quota, expected, words = WAYS[way]
    world = lent(tmp_path, since, **quota)
    done, endpoints = apply(world)
    emulator.stop(world.state)
    (told,) = [o.evidence.summary for o in done.report.outcomes if o.address == "endpoint/mip"]

    assert done.report.exit is Exit.OK
    assert carried(world) == expected
    assert [leases.of(body) is not None for body in endpoints] == [True]
    assert words in told


def test_a_service_that_keeps_no_lease_is_told(tmp_path: Path) -> None:
    """Dropped by the SDK's version and by the known one: refused with the field to change, and nothing is left."""
    world = lent(tmp_path, "2030-01-01")
    done, endpoints = apply(world)
    emulator.stop(world.state)
    (error,) = [o.error for o in done.report.outcomes if o.error]

    assert done.report.exit is Exit.STEP_FAILED
    assert error["code"] == "AML318"
    assert "quota.api_version" in error["cure"]
    assert carried(world) == [("PUT", SDK), ("DELETE", SDK), ("PUT", KNOWN), ("DELETE", SDK)]
    assert endpoints == []
