"""`amldeploy import`: --endpoint writes files, --adopt manages; never both at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fork_server import ForkServer
from tests.project import make_project


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ("", "neither --endpoint nor --adopt is used"),
        ("mip", "neither --endpoint nor --adopt is used"),
        ("--key lungs", "neither --endpoint nor --adopt is used"),
        ("--endpoint lungs --adopt", "--endpoint and --adopt are two steps"),
        ("--adopt --key lungs", "--key has no effect with --adopt"),
        ("--adopt --template lungs", "--template has no effect with --adopt"),
        ("--endpoint lungs mip", "KEY has no effect with --endpoint"),
        ("--endpoint lungs --from other/mip", "--from has no effect with --endpoint"),
        ("--endpoint lungs --yes", "--yes has no effect with --endpoint"),
        ("--endpoint lungs --events events.jsonl", "--events has no effect with --endpoint"),
        ("--endpoint lungs --lock-timeout 5m", "--lock-timeout has no effect with --endpoint"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: str, cause: str, amldeploy: ForkServer, tmp_path: Path) -> None:
    """Before anything is read, so that no option is ignored silently."""
    refused = amldeploy.run(make_project(tmp_path), "import", "-e", "local", *options.split())

    assert refused.returncode == 64
    assert f"AML693 cannot import: {cause}" in " ".join(refused.stderr.split())
    assert not (tmp_path / ".amldeploy").exists()
    assert not (tmp_path / "events.jsonl").exists()


def test_adopt_is_an_option_only(amldeploy: ForkServer, tmp_path: Path) -> None:
    """There is one way to write it."""
    refused = amldeploy.run(make_project(tmp_path), "adopt", "-e", "local")

    assert refused.returncode == 64
    assert "No such command 'adopt'" in refused.stderr
