"""What the two containers of a deployment have written. A stand-in says in its log that it is one."""

from __future__ import annotations

from datetime import UTC, datetime

from deploy.emulator import log, scorers
from deploy.emulator.world import Resource, World

NAMES = ("InferenceServer", "StorageInitializer")
STATUS = ("SystemSetup", "UserContainerImagePull", "ModelDownload", "UserContainerStart")


def lines(world: World, deployment: Resource, container: str) -> list[str]:
    """The log of one container, oldest line first."""
    return _storage(deployment) if container == "StorageInitializer" else _server(world, deployment)


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
