"""The logs of the two containers of a deployment. The log of a stand-in names it as one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from deploy.emulator.runtime import failure_logs, hosting, standins
from deploy.emulator.runtime.code_spec import find_code
from deploy.emulator.wire import long_running, request_log
from deploy.emulator.world.store import Resource, World

NAMES = ("InferenceServer", "StorageInitializer")


def lines(world: World, deployment: Resource, container: str) -> list[str]:
    """The log of one container, oldest line first. A failed score.py has its real log."""
    stores = container == "StorageInitializer"
    error, hosted = long_running.failure_of(world, str(deployment.private.get("operation")))
    if deployment.state == "Failed" and not hosted:
        properties = deployment.properties
        model, image = str(properties["model"] or "no model"), str(properties["environmentId"] or properties["model"])
        names = {"model": model, "image": image}
        moment = str(deployment.body["systemData"]["createdAt"])
        return failure_logs.storage(error, names) if stores else failure_logs.server(error, names, moment)
    if find_code(world, deployment) is not None:
        return _hosted(world, deployment, container)
    return _storage(deployment) if stores else _server(world, deployment)


def _hosted(world: World, deployment: Resource, container: str) -> list[str]:
    path = hosting.folder(world, hosting.server_key(deployment))
    if container == "StorageInitializer":
        return _tail(path / "storage.log")
    return [
        "amldeploy emulator: this is score.py itself, run on this machine; the environment was not built.",
        *_tail(path / "server.log"),
    ]


def _tail(file: Path) -> list[str]:
    """The last lines of a log, at most 1 MiB; empty when the file does not exist."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - (1 << 20)))
            return stream.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []


def _server(world: World, deployment: Resource) -> list[str]:
    moment = str(deployment.body["systemData"]["createdAt"])
    text = ["Instance status:", *(f"{name}: Succeeded" for name in failure_logs.STATUS)]
    text += ["", "Container events:", *(failure_logs.event(*each, moment) for each in failure_logs.STARTED)]
    text += ["", "Container logs:"]
    model = deployment.properties["model"]
    if standins.find(model) is None:
        text.append(f"amldeploy emulator: there is no stand-in for {model}; every scoring request is answered 424.")
    else:
        text.append(f"amldeploy emulator: a STAND-IN answers in place of {model}. The model itself never runs.")
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
