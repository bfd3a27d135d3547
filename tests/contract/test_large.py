"""A model of more than 64 MiB goes up in blocks and comes back, and the emulator never holds it as a whole."""

from __future__ import annotations

import filecmp
import os
from pathlib import Path

from azure.ai.ml import MLClient
from azure.ai.ml.entities import Model
from azure.identity import DefaultAzureCredential

from deploy import emulator
from deploy.emulator.seed import default_world

SIZE = (65 << 20) + 5
MOST = 260
"""MB that the emulator may need beside what it holds at rest: azure-ai-ml sends up to 16 blocks at once."""


def _peak(pid: int) -> int:
    """The most memory a process has held, in MB; 0 where that cannot be asked."""
    told = Path(f"/proc/{pid}/status")
    lines = told.read_text().splitlines() if told.exists() else []
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")), 0)


def test_a_large_file_travels_in_blocks(tmp_path: Path) -> None:
    """Blocks and a list of them; the same file again is not sent; downloaded it is the same."""
    large, state = tmp_path / "weights.bin", tmp_path / "state"
    with large.open("wb") as stream:
        stream.truncate(SIZE)
        stream.seek(SIZE - 4)
        stream.write(b"ends")
    before = dict(os.environ)
    running = emulator.launch(state)
    try:
        os.environ.update(running.variables())
        client = MLClient(
            DefaultAzureCredential(), default_world.SUBSCRIPTION, default_world.GROUP, default_world.WORKSPACE
        )
        resting = _peak(running.pid)
        for version in ("1", "2"):
            begun = len(emulator.requests(state))
            client.models.create_or_update(Model(name="large", version=version, path=str(large)))
            sent = [r["path"] for r in emulator.requests(state, after=begun) if r["operation"] == "Blob_Put"]
            assert any("comp=blocklist" in path for path in sent) is (version == "1")
            assert bool(sent) is (version == "1")
        client.models.download("large", "1", download_path=str(tmp_path / "back"))
        (back,) = [path for path in (tmp_path / "back").rglob("weights.bin") if path.is_file()]
        assert filecmp.cmp(large, back, shallow=False)
        assert _peak(running.pid) - resting < MOST
    finally:
        os.environ.clear()
        os.environ.update(before)
        emulator.stop(state)
