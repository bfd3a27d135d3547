"""The pydantic models of environment and pipeline files, and the JSON Schema of each kind of file.

config/validation checks files against these models, and `deploy/schemas/*.json` is generated from them. The models
contain types and rules for one field; rules for several fields or files are in config/validation.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from deploy.documents.cli_v2 import DeploymentDocument, EndpointDocument
from deploy.documents.fields import (
    GUID,
    NAME,
    RESOURCE_GROUP,
    SCOPE,
    WORKSPACE,
    Count,
    Document,
    Duration,
    Flag,
    Whole,
    union_tag,
)
from deploy.documents.rollout import Rollout


class Quota(Document):
    """The quota that the instances use."""

    capacity: Literal["dedicated", "shared"] = Field(
        default="dedicated",
        description="dedicated: quota of the subscription. shared: a lease of 168 hours on Azure's shared pool.",
    )
    duration: Annotated[Duration, Field(gt=0, le=604_800)] = Field(
        default=604_800.0, description="Lease of an endpoint on shared quota: at most 168h."
    )
    fallback: Literal["dedicated"] | None = Field(
        default=None, description="Quota for a new endpoint if the shared pool is still full at retry.deadline."
    )
    api_version: str | None = Field(
        default=None,
        pattern=r"^\d{4}-\d{2}-\d{2}(-preview)?$",
        description="api-version for creating the endpoint directly with ARM, without azure-ai-ml.",
    )


class Principal(Document):
    """The principal of a role assignment, by object id."""

    object_id: str = Field(pattern=GUID, description="Object id in Microsoft Entra ID.")
    type: Literal["User", "Group", "ServicePrincipal"]


class Role(Document):
    """A role assignment. `role` is the name or GUID of a built-in role; `scope` is a known word or a full ARM id."""

    role: str = Field(min_length=1, description="Name or GUID of a built-in role.")
    scope: str = Field(
        pattern=SCOPE,
        description="Scope of the role assignment: endpoint, workspace, workspace_storage, ... or a full ARM id.",
    )
    principal: Annotated[
        Annotated[Literal["endpoint"], Tag("reference")] | Annotated[Principal, Tag("inline")], Discriminator(union_tag)
    ] = Field(default="endpoint", description="The identity of the endpoint, or an object id.")


class Probe(Document):
    """A real scoring request with an expected response. `image` and `body` are paths inside the template folder."""

    type: Literal["http", "medimageparse", "medimageparse3d", "medimageinsight", "cxrreportgen", "gigapath"]
    image: str | None = Field(default=None, description="Sample image, a path inside the template folder.")
    text: str | None = Field(default=None, description="One prompt, or several separated by &.")
    body: str | None = Field(default=None, description="Request body, a JSON file inside the template folder.")
    status: Whole = Field(default=200, ge=100, le=599, description="Expected HTTP status.")
    answer: dict[str, Any] | str | None = Field(
        default=None,
        description="http only: JSON Schema of the response, or a file in the template folder that contains it.",
    )
    max_seconds: Duration | None = Field(default=None, description="Longest response time that passes: 2s, 1m.")
    attempts: Whole = Field(default=5, ge=1, le=100)
    timeout: Annotated[Duration, Field(gt=0)] = Field(
        default=90.0, description="Timeout of one attempt: 90s, 5m, or seconds."
    )


class RetryPolicy(Document):
    """How long a step is retried, for example while a role is not yet effective or an endpoint is busy."""

    attempts: Whole = Field(default=6, ge=1, le=100)
    deadline: Duration = Field(default=1800.0, description="Time for all attempts together: 30m, or seconds.")


class Alias(Document):
    """Where clients look up the current endpoint. Set exactly one of file, github_variable and command."""

    file: str | None = Field(default=None, min_length=1, description="JSON file, relative to the project folder.")
    github_variable: str | None = Field(
        default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="Name of a GitHub Actions variable."
    )
    repository: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$", description="owner/name.")
    command: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="Program and arguments, run without a shell."
    )

    @model_validator(mode="after")
    def _is_one(self) -> Alias:
        if sum(kind is not None for kind in (self.file, self.github_variable, self.command)) != 1:
            raise ValueError("must have exactly one of file, github_variable and command")
        return self


class LeasePolicy(Document):
    """Settings for the renewal of a lease on shared quota."""

    alias: Alias | None = None
    drain: Duration = Field(default=600.0, description="How long the old endpoint keeps running after the alias moved.")


class Notice(Document):
    """A channel for notices that a lease ends. The URL of a webhook is a secret, so `url_from` names a variable."""

    to: Literal["stdout", "github", "teams", "slack", "webhook"]
    url_from: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="Environment variable with the URL of the webhook.",
    )

    @model_validator(mode="after")
    def _has_address(self) -> Notice:
        if (self.url_from is None) == (self.to in ("teams", "slack", "webhook")):
            raise ValueError("needs url_from for teams, slack and webhook, and must not have it otherwise")
        return self


class Pipeline(Document):
    """`pipeline.yml`: settings that the CLI v2 files do not have. Each key is optional."""

    quota: Quota = Quota()
    roles: tuple[Role, ...] = ()
    probe: Probe | None = None
    rollout: Rollout = Rollout()
    retry: RetryPolicy = RetryPolicy()
    lease: LeasePolicy = LeasePolicy()


_PROJECT = (
    "Short name of this repository, part of the tag that marks managed resources. Required unless cloud is local."
)
_IDLE = "Idle slots of a blue/green rollout can still be deleted."


class GuardsDocument(Document):
    """Limits that can refuse a plan."""

    protected: Flag = Field(
        default=False,
        description="Refuse plans that delete an endpoint of this file. Plans that open network access or weaken "
        f"authentication need --allow-exposure. {_IDLE}",
    )
    max_instances: Count | None = Field(
        default=None,
        ge=0,
        description="Maximum number of instances of all endpoints of this file at the peak of a plan, with idle slots.",
    )
    require_probe: Flag = Field(
        default=False, description="Refuse plans that move traffic to a release if pipeline.yml has no probe."
    )


class EntryDocument(Document):
    """An endpoint: a template and its values."""

    template: str = Field(min_length=1, description="Name of a folder in templates/.")
    values: dict[str, Any] = Field(
        default={}, description="Values that override the values of the environment with the same key."
    )
    protected: Flag = Field(default=False, description=f"Refuse plans that delete this endpoint. {_IDLE}")


class EnvironmentDocument(Document):
    """`environments/<name>.yml`: the workspace to deploy to, and its endpoints."""

    cloud: Literal["local", "AzureCloud", "AzureUSGovernment", "AzureChinaCloud"] = Field(
        description="local is the emulator: no account, no network."
    )
    project: str | None = Field(default=None, pattern=NAME, max_length=32, description=_PROJECT)
    subscription_id: str = Field(pattern=GUID)
    resource_group: str = Field(pattern=RESOURCE_GROUP)
    workspace: str = Field(pattern=WORKSPACE)
    values: dict[str, Any] = Field(default={}, description="Default values for all endpoints of this file.")
    endpoints: dict[Annotated[str, Field(pattern=NAME, max_length=32)], EntryDocument] = Field(
        default={}, description="Key -> template and values. The key names the endpoint on the command line."
    )
    guards: GuardsDocument = GuardsDocument()
    notices: tuple[Notice, ...] = Field(default=(), description="Channels for notices before a lease ends.")


MODELS: dict[str, type[Document]] = {
    "environment": EnvironmentDocument,
    "endpoint": EndpointDocument,
    "deployment": DeploymentDocument,
    "pipeline": Pipeline,
}
_EXPRESSION = {
    "title": "Expression",
    "description": "A jinja2 expression. Its value replaces it and keeps its type.",
    "type": "string",
    "pattern": r"\{\{.*\}\}",
}
_NOTES = ("title", "description", "default")


def schema(name: str) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of `environment`, `endpoint`, `deployment` or `pipeline` files, for editors.

    Template files can have `"{{ ... }}"` in place of a number, a list and so on. A top-level key without a value counts
    as absent. Raises KeyError for other names.
    """
    found = MODELS[name].model_json_schema()
    if name != "environment":
        for part in (found, *found.get("$defs", {}).values()):
            part["properties"] = {key: _templated(value) for key, value in part.get("properties", {}).items()}
        found.setdefault("$defs", {})["Expression"] = _EXPRESSION
    for key in found["properties"].keys() - set(found.get("required", ())):
        found["properties"][key] = _either(found["properties"][key], {"type": "null"})
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found, "title": f"amldeploy {name} file"}


def _templated(part: dict[str, Any]) -> dict[str, Any]:
    """The schema of a value, its items and its values, each extended by an expression."""
    if part.get("type") == "string" and not {"pattern", "enum", "const", "minLength"} & part.keys():
        return part
    return _either(_inside(part), {"$ref": "#/$defs/Expression"})


def _inside(part: dict[str, Any]) -> dict[str, Any]:
    """The schema with expressions allowed for the items of a list and the values of a mapping."""
    part = {**part}
    for inner in ("items", "additionalProperties"):
        if isinstance(part.get(inner), dict):
            part[inner] = _templated(part[inner])
    if "anyOf" in part:
        part["anyOf"] = [_inside(branch) for branch in part["anyOf"]]
    return part


def _either(part: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """`anyOf` both schemas; titles and defaults stay outside, where editors look for them."""
    notes = {key: part[key] for key in _NOTES if key in part}
    rest = {key: value for key, value in part.items() if key not in notes}
    branches = rest["anyOf"] if rest.keys() == {"anyOf"} else [rest]
    return {**notes, "anyOf": branches if other in branches else [*branches, other]}
