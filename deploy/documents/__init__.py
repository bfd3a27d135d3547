"""What users write: the pydantic models of environment and pipeline files, and the JSON Schema of every kind of file.

The validator checks files against these models and `deploy/schemas/*.json` is generated from them, so an editor and the
tool can never disagree. Only shapes and single-field rules live here; rules across fields or files are the validator's.
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
    Duration,
    Flag,
    Whole,
    Written,
    shape,
)
from deploy.documents.rollout import Rollout


class Quota(Written):
    """Where the cores come from."""

    capacity: Literal["dedicated", "shared"] = Field(
        default="dedicated",
        description="shared: a loan of 168 hours for short tests.",
    )
    duration: Annotated[Duration, Field(gt=0, le=604_800)] = Field(
        default=604_800.0, description="How long an endpoint on shared quota lives: 168h at most."
    )
    fallback: Literal["dedicated"] | None = Field(
        default=None, description="Where a new endpoint goes when the shared pool stays full until retry.deadline."
    )
    api_version: str | None = Field(
        default=None,
        pattern=r"^\d{4}-\d{2}-\d{2}(-preview)?$",
        description="Make the endpoint past azure-ai-ml, with this.",
    )


class Principal(Written):
    """Somebody who is given a role, by object id."""

    object_id: str = Field(pattern=GUID, description="Object id in Microsoft Entra ID.")
    type: Literal["User", "Group", "ServicePrincipal"]


class Role(Written):
    """One role assignment. `role` is a built-in role's name or GUID; `scope` a word below or a full ARM id."""

    role: str = Field(min_length=1, description="Name or GUID of a built-in role.")
    scope: str = Field(
        pattern=SCOPE,
        description="Where the role holds: a word for something near, or a full ARM id.",
    )
    principal: Annotated[
        Annotated[Literal["endpoint"], Tag("reference")] | Annotated[Principal, Tag("inline")], Discriminator(shape)
    ] = Field(default="endpoint", description="Who gets it: the endpoint's own identity, or an object id.")


class Probe(Written):
    """A real scoring request with an expected answer. `image` and `body` are paths inside the template folder."""

    type: Literal["http", "medimageparse", "medimageparse3d", "medimageinsight", "cxrreportgen", "gigapath"]
    image: str | None = Field(default=None, description="Sample image, a path inside the template folder.")
    text: str | None = Field(default=None, description="Prompts; several are joined by &.")
    body: str | None = Field(default=None, description="Request body, a JSON file inside the template folder.")
    status: Whole = Field(default=200, ge=100, le=599, description="The HTTP status that is right.")
    answer: dict[str, Any] | str | None = Field(
        default=None,
        description="http only: the JSON Schema that the answer must fit, or a file in the template folder with it.",
    )
    max_seconds: Duration | None = Field(default=None, description="An answer that takes longer is wrong: 2s, 1m.")
    attempts: Whole = Field(default=5, ge=1, le=100)
    timeout: Annotated[Duration, Field(gt=0)] = Field(default=90.0, description="For one attempt: 90s, 5m, or seconds.")


class RetryPolicy(Written):
    """How long slow truths (a role not yet effective, a busy endpoint) are waited for."""

    attempts: Whole = Field(default=6, ge=1, le=100)
    deadline: Duration = Field(default=1800.0, description="In all: 30m, or seconds.")


class Alias(Written):
    """Where callers look up which endpoint to ask. Exactly one kind."""

    file: str | None = Field(default=None, min_length=1, description="A JSON file, relative to the project's folder.")
    github_variable: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    repository: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$", description="owner/name.")
    command: tuple[str, ...] | None = Field(default=None, min_length=1, description="Program and arguments; no shell.")

    @model_validator(mode="after")
    def _is_one(self) -> Alias:
        if sum(kind is not None for kind in (self.file, self.github_variable, self.command)) != 1:
            raise ValueError("must have exactly one of file, github_variable and command")
        return self


class LeasePolicy(Written):
    """What happens around the end of a lease on shared quota."""

    alias: Alias | None = None
    drain: Duration = Field(default=600.0, description="How long the old endpoint still answers after the alias moved.")


class Notice(Written):
    """Where people are told that a lease ends. The address of a webhook is a secret: its variable is named here."""

    to: Literal["stdout", "github", "teams", "slack", "webhook"]
    url_from: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="Name of a variable.")

    @model_validator(mode="after")
    def _has_address(self) -> Notice:
        if (self.url_from is None) == (self.to in ("teams", "slack", "webhook")):
            raise ValueError("needs url_from for teams, slack and webhook, and for nothing else")
        return self


class Pipeline(Written):
    """`pipeline.yml`: what the CLI v2 files have no word for. Every key is optional."""

    quota: Quota = Quota()
    roles: tuple[Role, ...] = ()
    probe: Probe | None = None
    rollout: Rollout = Rollout()
    retry: RetryPolicy = RetryPolicy()
    lease: LeasePolicy = LeasePolicy()


_PROJECT = "Short name of this repository, part of the owner tag. Required unless cloud is local."
_IDLE = "An idle slot of a blue/green rollout may be deleted all the same."


class GuardsDocument(Written):
    """Limits that can refuse a plan."""

    protected: Flag = Field(
        default=False,
        description=f"No endpoint of this file is deleted, and what exposes more needs --allow-exposure. {_IDLE}",
    )
    max_instances: Count | None = Field(
        default=None,
        ge=0,
        description="Most instances that all endpoints of this file run at the peak of a plan, idle slots included.",
    )
    require_probe: Flag = Field(
        default=False, description="Refuse to move traffic to a release where pipeline.yml has no probe."
    )


class EntryDocument(Written):
    """An endpoint: a template and its values."""

    template: str = Field(min_length=1, description="A folder of templates/.")
    values: dict[str, Any] = Field(default={}, description="Each replaces the environment's value of the same key.")
    protected: Flag = Field(default=False, description=f"This endpoint is not deleted. {_IDLE}")


class EnvironmentDocument(Written):
    """`environments/<name>.yml`: where to deploy, and what."""

    cloud: Literal["local", "AzureCloud", "AzureUSGovernment", "AzureChinaCloud"] = Field(
        description="local is the emulator: no account, no network."
    )
    project: str | None = Field(default=None, pattern=NAME, max_length=32, description=_PROJECT)
    subscription_id: str = Field(pattern=GUID)
    resource_group: str = Field(pattern=RESOURCE_GROUP)
    workspace: str = Field(pattern=WORKSPACE)
    values: dict[str, Any] = Field(default={}, description="Defaults for every endpoint below.")
    endpoints: dict[Annotated[str, Field(pattern=NAME, max_length=32)], EntryDocument] = Field(
        default={}, description="Key -> template and values. The key is how the command line calls the endpoint."
    )
    guards: GuardsDocument = GuardsDocument()
    notices: tuple[Notice, ...] = Field(default=(), description="Who is told that a lease ends, and how.")


MODELS: dict[str, type[Written]] = {
    "environment": EnvironmentDocument,
    "endpoint": EndpointDocument,
    "deployment": DeploymentDocument,
    "pipeline": Pipeline,
}
_EXPRESSION = {
    "title": "Expression",
    "description": "A jinja2 expression; its value takes this place with its type.",
    "type": "string",
    "pattern": r"\{\{.*\}\}",
}
_NOTES = ("title", "description", "default")


def schema(name: str) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of `environment`, `endpoint`, `deployment` or `pipeline` files, for editors.

    Where a template file wants anything but free text, `"{{ ... }}"` is right too. A key at the top that has no value
    counts as absent. Raises KeyError for other names.
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
    """The same, or an expression; its items and values likewise."""
    if part.get("type") == "string" and not {"pattern", "enum", "const", "minLength"} & part.keys():
        return part
    return _either(_inside(part), {"$ref": "#/$defs/Expression"})


def _inside(part: dict[str, Any]) -> dict[str, Any]:
    """The same, with expressions allowed for the items of a list and the values of a mapping."""
    part = {**part}
    for inner in ("items", "additionalProperties"):
        if isinstance(part.get(inner), dict):
            part[inner] = _templated(part[inner])
    if "anyOf" in part:
        part["anyOf"] = [_inside(branch) for branch in part["anyOf"]]
    return part


def _either(part: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """One more branch; titles and defaults stay outside, where editors look for them."""
    notes = {key: part[key] for key in _NOTES if key in part}
    rest = {key: value for key, value in part.items() if key not in notes}
    branches = rest["anyOf"] if rest.keys() == {"anyOf"} else [rest]
    return {**notes, "anyOf": branches if other in branches else [*branches, other]}
