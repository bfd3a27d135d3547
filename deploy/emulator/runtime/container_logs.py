"""The logs of the two containers of a deployment. The log of a stand-in names it as one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from deploy.emulator.runtime import failure_logs, hosting, standins
from deploy.emulator.runtime.code_spec import find_code
from deploy.emulator.runtime.pod_events import READY, RESTARTED, STARTED, Pod, head
from deploy.emulator.wire import long_running, request_log
from deploy.emulator.world.store import Resource, World
from deploy.emulator.world.timing import parse_time

NAMES = ("InferenceServer", "StorageInitializer")


def lines(world: World, deployment: Resource, container: str) -> list[str]:
    """The log of one container, oldest line first. A failed score.py has its real log."""
    stores = container == "StorageInitializer"
    error, hosted = long_running.failure_of(world, str(deployment.private.get("operation")))
    failed, pod = deployment.state == "Failed", _pod(world, deployment)
    if failed and not hosted:
        properties = deployment.properties
        model, image = str(properties["model"] or "no model"), str(properties["environmentId"] or properties["model"])
        names = {"model": model, "image": image}
        return failure_logs.storage(error, names) if stores else failure_logs.server(error, names, pod)
    code = find_code(world, deployment) is not None
    if stores:
        return _tail(_folder(world, deployment) / "storage.log") if code else _storage(deployment)
    own = _hosted(world, deployment) if code else _stand_in(world, deployment, pod)
    events = (*STARTED, RESTARTED if failed else READY)
    return [*head(pod, events, "UserContainerStart" if failed else ""), *own]


def _pod(world: World, deployment: Resource) -> Pod:
    created = parse_time(deployment.body["systemData"]["createdAt"])
    begins, ends = deployment.private.get("pod") or (created, created)
    return Pod(begins, ends, world.now() if deployment.state == "Creating" else None)


def _folder(world: World, deployment: Resource) -> Path:
    return hosting.folder(world, hosting.server_key(deployment))


def _hosted(world: World, deployment: Resource) -> list[str]:
    return [
        "amldeploy emulator: this is score.py itself, run on this machine; the environment was not built.",
        *_tail(_folder(world, deployment) / "server.log"),
    ]


def _tail(file: Path) -> list[str]:
    """The last lines of a log, at most 1 MiB; empty when the file does not exist."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - (1 << 20)))
            return stream.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []


def _stand_in(world: World, deployment: Resource, pod: Pod) -> list[str]:
    if not pod.is_past("Started"):
        return []
    model = deployment.properties["model"]
    if reason := standins.why_unanswered(model):
        text = [f"amldeploy emulator: {reason}"]
    else:
        text = [f"amldeploy emulator: a STAND-IN answers in place of {model}. The model itself never runs."]
    for row in request_log.read(world, target=deployment.id):
        at = datetime.fromtimestamp(row["time"], UTC)
        text.append(f'{at:%Y-%m-%dT%H:%M:%S.%f}+00:00 - 127.0.0.1 "POST /score HTTP/1.1" {row["status"]}')
    return text


def _storage(deployment: Resource) -> list[str]:
    model = deployment.properties["model"]
    return [
        f"amldeploy emulator: nothing was downloaded; a stand-in needs no files of {model}."
        if model
        else "No model to download.",
        "Storage initializer finished.",
    ]
