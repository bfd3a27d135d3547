"""The first part of a container log: the stages of its instance, and the events of its pod.

Recorded with a deployment that was ready (2025; the log of 2022 has the same stages). While a deployment is created,
only what is done is listed: the words of a stage in progress are unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

Event = tuple[str, str]
"""Name and message."""
STAGES = ("SystemSetup", "UserContainerImagePull", "ModelDownload", "UserContainerStart")
PULLING: tuple[Event, ...] = (
    ("Downloading", "Start downloading models"),
    ("Pulling", "Start pulling container image"),
)
PULLED: Event = ("Pulled", "Container image is pulled successfully")
DOWNLOADED: Event = ("Downloaded", "Models are downloaded successfully")
STARTED: tuple[Event, ...] = (
    *PULLING, PULLED, DOWNLOADED,
    ("Created", "Created container inference-server"),
    ("Started", "Started container inference-server"),
)  # fmt: skip
READY: Event = ("ContainerReady", "Container is ready")
RESTARTED: Event = ("BackOff", "Back-off restarting failed container")
_END = 1.0
_SHARES = {
    "SystemSetup": 0.5, "UserContainerImagePull": 0.85, "ModelDownload": 0.85,
    "Downloading": 0.5, "Pulling": 0.5, "Pulled": 0.85, "Downloaded": 0.85, "Created": 0.9, "Started": 0.9,
}  # fmt: skip
"""Stage or event -> the share of the operation after which it is done; inferred. The others are done at its end."""


@dataclass(frozen=True)
class Pod:
    """When the last start of a deployment's containers began and ended, in seconds since 1970.

    `now` is the world's time while that start is in progress, None after its end.
    """

    begins: float
    ends: float
    now: float | None = None

    def moment(self, name: str) -> float:
        """When a stage is done, or an event happens."""
        return self.begins + _SHARES.get(name, _END) * (self.ends - self.begins)

    def is_past(self, name: str) -> bool:
        """Whether a stage is done, or an event has happened."""
        return self.now is None or (name in _SHARES and self.moment(name) <= self.now)


def head(pod: Pod, events: Sequence[Event], failed: str = "") -> list[str]:
    """The lines before the output of a container, with the stage that failed, if one did."""
    stages = STAGES[: STAGES.index(failed)] if failed else STAGES
    lines = ["Instance status:", *(f"{name}: Succeeded" for name in stages if pod.is_past(name))]
    lines += [f"{failed}: Failed"] if failed else []
    lines += ["", "Container events:", *(_line(pod, event) for event in events if pod.is_past(event[0]))]
    return [*lines, "", "Container logs:"]


def _line(pod: Pod, event: Event) -> str:
    at = datetime.fromtimestamp(pod.moment(event[0]), UTC)
    return f"Kind: Pod, Name: {event[0]}, Type: Normal, Time: {at:%Y-%m-%dT%H:%M:%S.%f}Z, Message: {event[1]}"
