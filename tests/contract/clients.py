"""Which operations clients of Azure called: read from the request logs of the worlds that a test run left."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from pathlib import Path

CLIENTS = {
    "ai-ml": ("azure-ai-ml", r"azure-ai-ml/|azsdk-python-(arm_ml_service|registry_discovery)/"),
    "mgmt": (
        "azure-mgmt-machinelearningservices, azure-mgmt-authorization, azure-mgmt-monitor",
        r"azsdk-python-(azure-)?mgmt-",
    ),
    "blob": ("azure-storage-blob", r"azsdk-python-storage-blob/"),
    "metrics": ("azure-monitor-querymetrics", r"azsdk-python-monitor-querymetrics/"),
    "login": ("azure-identity", r"azsdk-python-identity/"),
    "cli": ("amldeploy", r"^amldeploy\b"),
}
"""Short name on the page -> packages, and how their user agent is found."""
_ANSWERED = """
    SELECT DISTINCT operation, user_agent FROM requests
    WHERE status BETWEEN 200 AND 299 AND user_agent != '' AND note NOT LIKE 'fault %'"""


def called(folder: Path) -> dict[str, list[str]]:
    """Operation -> the clients that it answered with success, without a fault, in any world below the folder.

    Only worlds beside certificates are read: the others had no server. A world that cannot be read counts as empty:
    tests damage worlds on purpose.
    """
    found: dict[str, set[str]] = {}
    for path in (each for each in folder.rglob("world.sqlite") if each.with_name("tls").is_dir()):
        with contextlib.suppress(sqlite3.DatabaseError), contextlib.closing(sqlite3.connect(path)) as world:
            for operation, agent in world.execute(_ANSWERED):
                names = (name for name, (_, pattern) in CLIENTS.items() if re.search(pattern, agent))
                found.setdefault(operation, set()).update(names)
    return {operation: sorted(names) for operation, names in sorted(found.items()) if names}


def write(file: Path, folder: Path) -> None:
    """Write `called` as JSON."""
    file.write_text(json.dumps(called(folder)), encoding="utf-8")
