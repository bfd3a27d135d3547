"""What the two containers of a deployment have written. A stand-in says in its log that it is one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from deploy.emulator import hosting, log, scorers
from deploy.emulator.specification import own_code
from deploy.emulator.world import Resource, World

NAMES = ("InferenceServer", "StorageInitializer")
STATUS = ("SystemSetup", "UserContainerImagePull", "ModelDownload", "UserContainerStart")


def lines(world: World, deployment: Resource, container: str) -> list[str]:
    """The log of one container, oldest line first."""
    if own_code(world, deployment) is not None:
        return _hosted(world, deployment, container)
    return _storage(deployment) if container == "StorageInitializer" else _server(world, deployment)


def _hosted(world: World, deployment: Resource, container: str) -> list[str]:
    place = hosting.folder(world, hosting.key(deployment))
    if container == "StorageInitializer":
        return _tail(place / "storage.log")
    return [
        "amldeploy emulator: this is score.py itself, run on this machine; the environment was not built.",
        *_tail(place / "server.log"),
    ]


def _tail(file: Path) -> list[str]:
    """The end of a log, one megabyte of it at most; nothing when it was never written."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - (1 << 20)))
            return stream.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []


def _server(world: World, deployment: Resource) -> list[str]:
    failed, moment = deployment.state == "Failed", deployment.body["systemData"]["createdAt"]
    text = ["Instance status:"]
    text += [
        f"{name}: {'Failed' if failed and name == 'ModelDownload' else 'Succeeded'}"
        for name in STATUS[: 3 if failed else 4]
    ]
    text += ["", "Container events:"]
    for name, message in _events(failed):
        text.append(f"Kind: Pod, Name: {name}, Type: Normal, Time: {moment}, Message: {message}")
    text += ["", "Container logs:"]
    if failed:
        return [*text, "The container was never started: the model could not be downloaded."]
    model = deployment.properties["model"]
    if scorers.find(model) is None:
        text.append(f"amldeploy emulator: there is no stand-in for {model}; every scoring request is answered 424.")
    else:
        text.append(f"amldeploy emulator: a STAND-IN answers in place of {model}. The model itself never runs.")
    for row in log.read(world, target=deployment.id):
        at = datetime.fromtimestamp(row["time"], UTC)
        text.append(f'{at:%Y-%m-%dT%H:%M:%S.%f}+00:00 - 127.0.0.1 "POST /score HTTP/1.1" {row["status"]}')
    return text


def _events(failed: bool) -> list[tuple[str, str]]:
    begun = [("Pulling", "Start pulling container image"), ("Pulling", "Start downloading models")]
    if failed:
        return begun
    return [
        *begun,
        ("Pulled", "Container image is pulled successfully"),
        ("Downloaded", "Models are downloaded successfully or no model need to download"),
        ("Created", "Created container inference-server"),
        ("Started", "Started container inference-server"),
    ]


def _storage(deployment: Resource) -> list[str]:
    model = deployment.properties["model"]
    if deployment.state == "Failed":
        return [f"Downloading {model}", f"ERROR: {model} was not found."]
    return [
        f"amldeploy emulator: nothing was downloaded; a stand-in needs no files of {model}."
        if model
        else "No model to download.",
        "Storage initializer finished.",
    ]
