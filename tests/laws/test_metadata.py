"""azure-ai-ml reads the metadata of the cloud during its import, outside of our session: a transient error
there heals.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from deploy import emulator
from deploy.errors import Exit
from tests.laws.stage import Stage
from tests.project import ROOT

HICCUPS: tuple[dict[str, Any], ...] = ({"kind": "throttle"}, {"kind": "reset"}, {"kind": "truncate"})


def imported_anew(stage: Stage) -> tuple[int, list[str], bool]:
    """An apply of a new process: exit code, error codes, and whether the fault was hit."""
    after = stage.last()
    root = str(stage.world.project.root)
    ran = subprocess.run(
        [sys.executable, "-m", "tests.laws.newcomer", root], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.stdout, ran.stderr
    code, codes = json.loads(ran.stdout.splitlines()[-1])
    return code, codes, any("fault" in row["note"] for row in emulator.requests(stage.state, after=after))


@pytest.mark.parametrize("fault", HICCUPS, ids=lambda fault: fault["kind"])
def test_one_transient_error_is_retried(stage: Stage, fault: dict[str, Any]) -> None:
    """With attempts left the apply succeeds; no step fails for a request that changes nothing."""
    stage.begin("1")
    stage.world.want(attempts=3)
    stage.order({**fault, "plane": "metadata"})

    assert imported_anew(stage) == (Exit.OK, [], True)


def test_metadata_that_never_arrives(stage: Stage) -> None:
    """Whatever is refused permanently: no change, never a bug, and a re-run heals."""
    stage.begin("1")
    stage.order({"kind": "refuse", "status": 503, "times": "always", "plane": "metadata"})
    first = imported_anew(stage)
    stage.order()

    assert first == (Exit.STEP_FAILED, ["AML364"], True)
    assert stage.apply().exit == 0


def test_metadata_is_not_read_again(stage: Stage) -> None:
    """After the import nothing more is read there: azure-ai-ml gets the metadata of the emulator's cloud from us."""
    stage.begin("2")  # the first release of its setup imports everything
    stage.order({"kind": "refuse", "plane": "metadata", "times": "always"})

    assert stage.apply().strikes == 0
