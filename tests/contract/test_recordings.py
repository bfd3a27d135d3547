"""Every recorded exchange of azure-powershell, sent to the emulator: status, headers and body as recorded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from deploy.emulator.entra.access_tokens import Tokens
from tests.contract.recorded_worlds import before, reset
from tests.contract.recordings import RECORDINGS, Difference, Recorded, differences, operations, read
from tests.unit.emulator.azure import Azure

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="no recordings are here; AMLDEPLOY_RECORDINGS names their folder"
)


class Allowed(NamedTuple):
    """Differences that may stay: globs of label and path, and the reason. `*` in a path does not match a slash."""

    label: str
    path: str
    reason: str


_OLD, _SIZES = "202[24] *", "2025 Get-AzMLServiceVMSize 0"
ALLOWED = tuple(
    Allowed(*row)
    for row in (
        (_OLD, "header/x-ms-ratelimit-remaining-subscription-global-* added", "Azure sends it since 2025."),
        (_OLD, "header/x-ms-operation-identifier added", "Azure sends it since 2025."),
        ("2022 New-*", "body/properties/*", "The emulator answers each api-version in the form of 2024-04-01."),
        ("2022 New-*", "body/systemData**", "The emulator answers each api-version in the form of 2024-04-01."),
        (
            "2025 WorkspaceCleanRemoveOnlineEndpoint 4",
            "header/content-type added",
            "The emulator sends the body `null` that azure-ai-ml got in 2026; this recording has none.",
        ),
        (
            "2025 Get-AzMLWorkspace 0",
            "header/x-ms-response-type added",
            "The Resource Manager collects this list from several regions; the emulator is one region.",
        ),
        ("*", "body/**properties/s*Uri", "Addresses of scoring are paths of the emulator, not hosts of their own."),
        (
            "2025 Get-AzMLWorkspaceDatastore 0",
            "body/value/workspace*/properties/accountName",
            "The name leads clients to the emulator's storage.",
        ),
        (
            "2024 Get-AzMLWorkspaceEnvironmentContainer 0",
            "body/value/AzureML-*/systemData/*By",
            "Curated environments are not emulated: a user created this one.",
        ),
        (
            "2025 Get-AzMLService[QU]* 0",
            "body/value/* missing",
            "The emulator has the families of sizes for managed online endpoints only.",
        ),
        (_SIZES, "body/value/*", "The recording is partial, and the emulator has sizes for endpoints only."),
        (_SIZES, "body/value/*/estimatedVMPrices/values/*/retailPrice", "Prices are not for accounting."),
        (_SIZES, "body/value/*/maxResourceVolumeMB", "The size of local disks is estimated from the memory."),
        (_SIZES, "body/value/Standard_NC64as_T4_v3/lowPriorityCapable", "All sizes have low-priority machines."),
    )
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Difference]]:
    """The differences of all files, each replayed in a world of its own."""
    folder = tmp_path_factory.mktemp("world")
    azure = Azure(folder, Tokens(folder))
    yield [each for file in sorted(RECORDINGS.glob("*.json")) for each in replay(azure, file)]
    azure.world.close()


def replay(azure: Azure, file: Path) -> Iterator[Difference]:
    """Send the requests of a file, each after what the recording presupposes; yields the differences."""
    exchanges, ids = read(file), dict[str, str]()
    reset(azure, file.stem, exchanges)
    for at, exchange in enumerate(exchanges):
        if _status_of(exchange) != "Updating":
            azure.finish_operations()
        before(azure, file.stem, exchanges, at)
        path = exchange.path
        for old, new in ids.items():
            path = path.replace(old, new)
        reply = azure.send(exchange.method, path, exchange.request)
        mine = operations(reply.headers)
        ids |= {old: mine[name] for name, old in operations(exchange.headers).items() if name in mine}
        yield from differences(exchange, reply.status, reply.headers, reply.content)


def _status_of(exchange: Recorded) -> Any:
    return exchange.body.get("status") if isinstance(exchange.body, dict) else None


def _allows(row: Allowed, difference: Difference) -> bool:
    return fnmatchcase(difference.label, row.label) and _matches(row.path, difference.path)


def _matches(glob: str, text: str) -> bool:
    parts = re.split(r"(\*\*|\*)", glob)
    words = {"**": ".*", "*": "[^/]*"}
    return re.fullmatch("".join(words.get(part, re.escape(part)) for part in parts), text) is not None


def test_all_exchanges_are_answered_as_recorded(found: list[Difference]) -> None:
    """Apart from the allowed differences."""
    left = [str(each) for each in found if not any(_allows(row, each) for row in ALLOWED)]
    assert left == [], "\n".join(left)


def test_each_allowed_difference_exists(found: list[Difference]) -> None:
    """A row without a difference is removed; there are at most 25."""
    unused = [row for row in ALLOWED if not any(_allows(row, each) for each in found)]
    assert unused == []
    assert len(ALLOWED) <= 25
    assert all(row.reason for row in ALLOWED)


def test_all_exchanges_are_replayed() -> None:
    """75 exchanges of 30 files."""
    files = [read(file) for file in RECORDINGS.glob("*.json")]
    assert (len(files), sum(map(len, files))) == (30, 75)
