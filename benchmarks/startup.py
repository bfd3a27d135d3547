"""Measure the start-up time of the CLI, as ratios to `import azure.ai.ml` in the same run. Never fails.

Run it with the interpreter of an installation: .venv/bin/python benchmarks/startup.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 7
SDK = [sys.executable, "-c", "import azure.ai.ml"]
AMLDEPLOY = [sys.executable, "-m", "deploy"]


def best(command: list[str], folder: Path) -> float:
    """Return the shortest of several runs, in seconds, to exclude disturbances."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return min(times)


def many_endpoints(folder: Path, count: int) -> None:
    """Write an environment of `count` MedImageParse endpoints."""
    for name in ("templates", "environments"):
        shutil.copytree(ROOT / name, folder / name)
    body = yaml.safe_load((ROOT / "environments" / "local.yml").read_text())
    body["endpoints"] = {f"mip{number}": body["endpoints"]["mip"] for number in range(count)}
    body.pop("guards", None)
    (folder / "environments" / "many.yml").write_text(yaml.safe_dump(body))


def imports_of_plan(folder: Path) -> bool:
    """Return whether `plan` of one endpoint imports azure.ai.ml."""
    code = (
        "import sys; from pathlib import Path; from deploy import commands;"
        "commands.plan(commands.Project(Path('.')), 'local');"
        "sys.exit('azure.ai.ml' in sys.modules)"
    )
    return subprocess.run([sys.executable, "-c", code], cwd=folder, check=False).returncode != 0


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        many_endpoints(folder, 50)
        sdk = best(SDK, folder)
        rows = [
            ("amldeploy --help", best([*AMLDEPLOY, "--help"], folder), 0.12),
            ("amldeploy validate, 50 endpoints", best([*AMLDEPLOY, "validate", "-e", "many"], folder), 0.5),
        ]
        print(f"import azure.ai.ml                   {sdk:6.3f} s")
        for label, seconds, limit in rows:
            ratio = seconds / sdk
            print(f"{label:<36} {seconds:6.3f} s  {ratio:5.3f} of it ({'under' if ratio < limit else 'OVER'} {limit})")
        print(f"plan of one endpoint imports azure.ai.ml: {'YES' if imports_of_plan(folder) else 'no'}")


if __name__ == "__main__":
    main()
