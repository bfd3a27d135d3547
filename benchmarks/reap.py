"""Measure `reap` and `renew` over a thousand endpoints on shared quota, against the emulator as a separate process.

Prints the wall time of each command and its requests to Azure Resource Manager: `reap` lists endpoints and role
assignments, and sends one more request when an endpoint is due; `renew` has nothing to do. Exits with 1 when a command
is slower than its limit.

.venv/bin/python benchmarks/reap.py [--endpoints 1000] [--due 200]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from deploy import emulator  # noqa: E402
from deploy.domain import leases  # noqa: E402 import from this checkout

SECONDS = 5.0
SIZE = "Standard_NC24ads_A100_v4"
MODEL = "azureml://registries/azureml/models/MedImageParse/versions/17"
ENVIRONMENT = {
    "cloud": "local",
    "subscription_id": "00000000-0000-0000-0000-000000000001",
    "resource_group": "rg-local",
    "workspace": "mlw-local",
}


def world(count: int, due: int) -> dict[str, Any]:
    """Return a world file with `count` managed endpoints with a deployment; the first `due` leases end within a day."""
    now = datetime.now(UTC)
    made = []
    for n in range(count):
        tags = {"amldeploy-owner": f"many/many{n}"}
        slot = {"name": "blue", "model": MODEL, "instance_type": SIZE, "tags": tags}
        lease = leases.properties(now + timedelta(hours=10 if n < due else 100))
        made.append({"name": f"many{n}", "tags": tags, "properties": lease, "deployments": [slot]})
    regions = {"eastus": {"endpoints": 2 * count, "deployments": 2 * count}}
    return {"settings": {"shared_quota_instances": count}, "regions": regions, "endpoints": made}


def measured(folder: Path, *words: str) -> bool:
    """Run one command in a new process; return whether it is within the limit."""
    state = folder / ".amldeploy"
    last = emulator.requests(state)[-1:]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "AMLDEPLOY_EMULATOR": "embedded"}
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "deploy", *words], cwd=folder, env=environment, check=True, capture_output=True
    )
    seconds = time.perf_counter() - begun
    rows = emulator.requests(state, after=last[0]["number"] if last else 0)
    sent = sum(not row["path"].startswith("/msi/") for row in rows)
    verdict = "within" if seconds <= SECONDS else "MISSES"
    print(f"{' '.join(words):<60} {seconds:6.2f} s  {sent} requests  {verdict} {SECONDS:g} s", flush=True)
    return seconds <= SECONDS


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    asked.add_argument("--endpoints", type=int, default=1000)
    asked.add_argument("--due", type=int, default=200)
    options = asked.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "environments").mkdir()
        (folder / "templates").mkdir()
        (folder / "environments" / "many.yml").write_text(yaml.safe_dump(ENVIRONMENT))
        (folder / "world.yml").write_text(yaml.safe_dump(world(options.endpoints, options.due)))
        emulator.launch(folder / ".amldeploy", world=folder / "world.yml")
        try:
            good = [
                measured(folder, "lease", "reap", "-e", "many"),
                measured(folder, "lease", "reap", "-e", "many", "--within", "24h", "--max", str(options.due)),
                measured(folder, "lease", "renew", "-e", "many", "--within", "24h", "--yes"),
            ]
        finally:
            emulator.stop(folder / ".amldeploy")
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
