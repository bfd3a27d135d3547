"""The permissions that an endpoint's identity needs for a deployment, and for the secret stores of the workspace.

A system-assigned identity gets its roles at creation; a user-assigned one needs them before. Azure publishes the cases
and codes (`BadArgument`, `SecretsInjectionError`); the messages are the emulator's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from deploy.emulator.wire.call import Call, Rights
from deploy.emulator.wire.responses import Json, Refusal, error_body, ml_error, user_error
from deploy.emulator.workspace import user_identities
from deploy.emulator.world.store import Resource, World

ENFORCED = "enforce_access_to_default_secret_stores"
LISTING = "Microsoft.MachineLearningServices/workspaces/connections/listsecrets/action"
_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
_PULL = "Microsoft.ContainerRegistry/registries/pull/read"
_CONNECTION = re.compile(r"\$\{\{azureml://connections/([^/}]+)[^}]*\}\}", re.IGNORECASE)
_HELP = "Please see troubleshooting guide, available here: https://aka.ms/oe-tsg#error-"


def require_identities(world: World, requested: Mapping[str, Json], endpoint: str) -> None:
    """Refuse an endpoint whose user-assigned identity does not exist."""
    for identifier in requested:
        if user_identities.find(world, identifier) is None:
            raise ml_error(
                400, "FailedIdentityOperation",
                f"Identity operation for resource '{endpoint}' failed with error 'Failed to perform resource identity "
                f"operation. Status: 'BadRequest'. Response: '{{\"error\":{{\"code\":\"BadRequest\",\"message\":"
                f"\"Resource '{identifier}' was not found.\"}}}}'.'.",
            )  # fmt: skip


def enforces_secret_access(properties: Mapping[str, str]) -> bool:
    """Whether an endpoint's properties enable access to the workspace's connections."""
    return str(properties.get(ENFORCED, "")).lower() == "enabled"


def require_secret_store_access(call: Call, workspace: Resource, properties: Mapping[str, str], kind: str) -> None:
    """If the endpoint enables secret access, require a system-assigned identity and a caller who can list the secrets.

    Raises:
        Refusal: one of them is missing.
    """
    if not enforces_secret_access(properties):
        return
    if kind != "SystemAssigned":
        raise user_error(f"The property '{ENFORCED}' is allowed only with a system-assigned identity.")
    if not call.rights.allows(call.caller.id, LISTING, workspace.id):
        raise _not_allowed(workspace)


def _not_allowed(workspace: Resource) -> Refusal:
    return ml_error(
        403, "Forbidden",
        f"The property '{ENFORCED}' is enabled, and the caller is not allowed to perform '{LISTING}' on workspace "
        f"'{workspace.body['name']}'.",
    )  # fmt: skip


def access_error(call: Call, workspace: Resource, endpoint: Resource, deployment: Resource) -> Json:
    """The error of a deployment whose endpoint's identity lacks a permission now; None otherwise."""
    identity = endpoint.body["identity"] or {}
    users: dict[str, Json] = identity.get("userAssignedIdentities") or {}
    for user in users.values():
        if missing := _missing(call.rights, str(user["principalId"]), workspace, deployment):
            return error_body("BadArgument", f"Authorization error: {missing} {_HELP}authorization-error")
    principals = [str(user["principalId"]) for user in users.values()] or [str(identity.get("principalId", ""))]
    return _secrets(call, workspace, deployment, principals)


def _missing(rights: Rights, principal: str, workspace: Resource, deployment: Resource) -> str:
    properties = workspace.properties
    registry = properties.get("containerRegistry")
    if registry and not rights.allows(principal, _PULL, registry):
        return f"the endpoint's identity {principal} needs AcrPull on {registry}."
    # Data collection writes its logs to the storage account of the models.
    verb, role = ("write", "Contributor") if deployment.properties.get("dataCollector") else ("read", "Reader")
    if not rights.allows(principal, f"{_BLOBS}/{verb}", properties["storageAccount"], data=True):
        storage = properties["storageAccount"]
        return f"the endpoint's identity {principal} needs Storage Blob Data {role} on {storage}."
    return ""


def _secrets(call: Call, workspace: Resource, deployment: Resource, principals: list[str]) -> Json:
    """The error of references to connections in the environment variables; None otherwise."""
    for name, value in deployment.properties["environmentVariables"].items():
        for connection in _CONNECTION.findall(value):
            if call.world.get(f"{workspace.id}/connections/{connection}") is None:
                reason = f"there is no connection '{connection}' in the workspace."
            elif not any(call.rights.allows(principal, LISTING, workspace.id) for principal in principals):
                reason = f"the endpoint's identity is not allowed to perform '{LISTING}' on the workspace."
            else:
                continue
            reason = f"Cannot resolve the secret of environment variable '{name}': {reason}"
            return error_body("SecretsInjectionError", f"{reason} {_HELP}secretsinjectionerror")
    return None
