"""The container logs of a failed deployment: read, attached to the error, and searched for the cause."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping

from deploy.cloud import endpoints
from deploy.cloud.connect import Cloud
from deploy.diagnosis.diagnose import diagnose
from deploy.domain.arm import Json
from deploy.errors import CloudError
from deploy.preflight import permissions
from deploy.sanitize import sanitize


def examine(cloud: Cloud, error: CloudError, document: Mapping[str, Json]) -> None:
    """Attach the container logs, the most likely cause and its cure to the error. An exception in the logs comes first
    in its message: Azure's own is the same for any container that did not start.
    """
    endpoint, name = str(document["endpoint_name"]), str(document["name"])
    logs, unread = _logs(cloud, endpoint, name)
    state = ""
    with contextlib.suppress(CloudError):
        body = endpoints.read_deployments(cloud, endpoint).get(name) or {}
        state = str((body.get("properties") or {}).get("provisioningState") or "")
    texts = {file.removesuffix(".log"): text.decode() for file, text in logs.items()}
    words = " ".join((*error.codes, error.cause))
    error.attached |= logs
    found = diagnose(
        error.code, words, texts, document=document, azure_codes=error.codes, state=state, unread=unread
    )  # fmt: skip
    error.diagnosis, error.cure = found.as_json(), found.cure or error.cure
    error.cause = f"{found.root_cause}. {error.cause}" if found.root_cause else error.cause


def name_command(error: CloudError, environment: str, key: str, slot: str) -> None:
    """Complete the commands in the cure: without the slot, `amldeploy logs` shows the live deployment, not the one that
    failed.
    """
    cure = error.cure.replace("`amldeploy logs`", f"`amldeploy logs -e {environment} {key} --slot {slot}`")
    error.cure = cure.replace("`amldeploy probe --compare`", f"`amldeploy probe -e {environment} {key} --compare`")


def stage(cloud: Cloud, endpoint: str, name: str) -> str:
    """How far the start of a deployment is: the last event of its pod, in Azure's words; empty if that is unknown.

    One read of its log, which counts as a write in Azure's request limits.
    """
    try:
        return stage_in(endpoints.read_logs(cloud, endpoint, name, endpoints.CONTAINERS[1], endpoints.TAIL))
    except CloudError:
        return ""


def stage_in(log: str) -> str:
    """The last pod event in a log, else the last stage of the instance that is done; empty without either.

    These lines were recorded in Azure, and are not documented.
    """
    head = log.partition("Container logs:")[0]
    events: list[str] = re.findall(r"^Kind: Pod, Name: .*, Message: (.+)$", head, re.MULTILINE)
    stages: list[str] = re.findall(r"^([A-Za-z]+: [A-Za-z]+)$", head, re.MULTILINE)
    return next((sanitize(found[-1]) for found in (events, stages) if found), "")


def _logs(cloud: Cloud, endpoint: str, name: str) -> tuple[dict[str, bytes], dict[str, str]]:
    """File name -> the last lines of each container's log; container -> why its log could not be read."""
    logs, unread = {}, {}
    for container in endpoints.CONTAINERS:
        try:
            text = endpoints.read_logs(cloud, endpoint, name, container, endpoints.TAIL)
            logs[f"{container}.log"] = sanitize(text).encode()
        except CloudError as error:
            if error.status != 404:  # 404: there is no deployment, and no log
                refused = f"could not be read without the permission {permissions.LOGS}"
                unread[container] = refused if error.status == 403 else f"could not be read: {error.cause.rstrip('.')}"
    return logs, unread
