"""Runs `life.py` with another interpreter against an emulator of its own: `python -m tests.contract.matrix PYTHON`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from deploy import emulator

OURS = ("AZURE", "ARM_", "IDENTITY", "REQUESTS_", "CURL_", "SSL_", "PYTHON")


def main(python: str) -> int:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    with tempfile.TemporaryDirectory() as name, emulator.embed(Path(name) / "state") as running:
        begun, files = time.monotonic(), Path(name) / "files"
        files.mkdir()
        command = [python, str(Path(__file__).with_name("life.py")), str(files)]
        ran = subprocess.run(
            command, env=clean | running.variables(), capture_output=True, text=True, check=False, timeout=120
        )
        refused = [row for row in emulator.requests(Path(name) / "state") if row["note"].startswith("not emulated")]
    if ran.returncode != 0 or refused:
        sys.stderr.write(f"{python}: FAILED\n{ran.stderr[-3000:]}\n{refused}\n")
        return 1
    sys.stdout.write(f"azure-ai-ml {ran.stdout.split()[-1].lstrip('.')}: passed in {time.monotonic() - begun:.1f} s\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
