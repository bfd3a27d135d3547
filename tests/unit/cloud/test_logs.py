"""The stage of a deployment that starts, from the first lines of its log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.cloud.logs import stage_in
from deploy.emulator.runtime.pod_events import READY, STARTED, Pod, head


@pytest.mark.parametrize(
    ("share", "stage"),
    [
        (0.0, ""),
        (0.5, "Start pulling container image"),
        (0.86, "Models are downloaded successfully"),
        (0.95, "Started container inference-server"),
    ],
)
def test_the_last_event_of_the_pod_is_the_stage(share: float, stage: str) -> None:
    """While it starts; the output of the container is not searched."""
    log = head(Pod(1000.0, 1600.0, 1000.0 + 600 * share), (*STARTED, READY))
    output = ["Kind: Pod, Name: Forged, Type: Normal, Time: now, Message: from score.py", "Scoring: Started"]

    assert stage_in("\n".join([*log, *output])) == stage


def test_without_events_the_last_stage_counts() -> None:
    """As in a log that has only the status of the instance."""
    assert stage_in("Instance status:\nSystemSetup: Succeeded\n\nContainer events:\n") == "SystemSetup: Succeeded"


@given(st.text(max_size=300))
def test_any_log_is_read(log: str) -> None:
    """No text breaks it, and none gives control characters."""
    assert not any(ord(letter) < 32 and letter != "\t" for letter in stage_in(log))
