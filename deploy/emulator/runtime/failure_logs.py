"""The logs of the containers of a failed deployment, by the code and message of its error.

Nothing ran: the lines are typical of such a container. The error lines are those of Kubernetes, storage and Python;
`pod_events` has the lines before them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from deploy.emulator.runtime.pod_events import DOWNLOADED, PULLED, PULLING, RESTARTED, STARTED, Event, Pod, head
from deploy.emulator.wire.responses import Json

_UNPULLED = (*PULLING, DOWNLOADED, ("BackOff", "Back-off pulling image {image}"))
_PROBE = "probe failed: HTTP probe failed with statuscode: 502"
_KILLED = ("Killing", "Container inference-server failed liveness probe, will be restarted")
_DENIED = "This request is not authorized to perform this operation using this permission."
_NEVER = "The container was never started: the model could not be downloaded."
_NOTHING_RAN = "amldeploy emulator: nothing ran; these are the words of a container that ends so."
_TRACEBACK = (
    "Initializing the scoring script.",
    "Traceback (most recent call last):",
    '  File "/var/azureml-app/score.py", line 7, in init',
    "    session = prepare()",
    '  File "/var/azureml-app/score.py", line 3, in prepare',
    "    return SETTINGS['session']",
    "KeyError: 'session'",
    "Worker failed to boot.",
)


@dataclass(frozen=True)
class FailureLog:
    """The logs of one type of failure. `pattern` matches code and message; lines can have `{model}` and `{image}`."""

    pattern: str
    failed_status: str
    events: tuple[Event, ...] = ()
    server: tuple[str, ...] = ()
    storage_lines: tuple[str, ...] = ("Storage initializer finished.",)


_FAILURE_LOGS = (
    FailureLog(
        r"AcrPull|registry authorization error", "UserContainerImagePull", _UNPULLED,
        ("Failed to pull image {image}: unauthorized: authentication required",),
    ),
    FailureLog(
        r"Storage Blob Data|AuthorizationPermissionMismatch", "ModelDownload", (*PULLING, PULLED), (_NEVER,),
        ("Downloading {model}", f"ERROR: AuthorizationPermissionMismatch: {_DENIED}"),
    ),
    FailureLog(
        r"ImagePull|manifest unknown|pull\w* [^.]{0,80}\bimage|image [^.]{0,80}be (?:pulled|downloaded|accessed)"
        r"|download [^.]{0,40}\bimage",
        "UserContainerImagePull", _UNPULLED, ("Failed to pull image {image}: manifest unknown",),
    ),
    FailureLog(
        r"BlobNotFound|\bmodel (?:\S+ ){0,6}(?:was not found|could not|cannot|can't)|download [^.]{0,40}\bmodel",
        "ModelDownload", (*PULLING, PULLED), (_NEVER,), ("Downloading {model}", "ERROR: {model} was not found."),
    ),
    FailureLog(
        r"OOMKilled|OutOfMemory|out of memory", "UserContainerStart", (*STARTED, RESTARTED),
        ("Loading the model.", "Killed: OOMKilled, exit code 137"),
    ),
    FailureLog(
        r"liveness ?probe", "UserContainerStart",
        (*STARTED, ("LivenessProbeFailed", f"Liveness {_PROBE}"), _KILLED), ("Loading the model.",),
    ),
    FailureLog(
        r"readiness ?probe", "UserContainerStart",
        (*STARTED, ("ReadinessProbeFailed", f"Readiness {_PROBE}")), ("Loading the model.",),
    ),
    FailureLog(
        r"ResourceNotReady|UserScript|CrashLoop|\bcrashed\b", "UserContainerStart", (*STARTED, RESTARTED), _TRACEBACK,
    ),
    FailureLog("", "SystemSetup", storage_lines=()),
)  # fmt: skip
"""The first match counts. The last one matches every error: no container was started."""


def server(error: Json, names: dict[str, str], pod: Pod) -> list[str]:
    """The log of the inference server."""
    found = _find(error)
    events = tuple((name, message.format(**names)) for name, message in found.events)
    log_lines = [_NOTHING_RAN, *(line.format(**names) for line in found.server)] if found.server else []
    return [*head(pod, events, found.failed_status), *log_lines]


def storage(error: Json, names: dict[str, str]) -> list[str]:
    """The log of the storage initializer."""
    return [line.format(**names) for line in _find(error).storage_lines]


def _find(error: Json) -> FailureLog:
    text = f"{error['code']} {error['message']}" if error else ""
    return next(found for found in _FAILURE_LOGS if re.search(found.pattern, text, re.IGNORECASE))
