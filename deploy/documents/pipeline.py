"""The pydantic models of a template's `pipeline.yml`. Rules for several fields are in config/validation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from deploy.documents.fields import (
    GUID,
    SCOPE,
    Document,
    Duration,
    Whole,
    union_tag,
)
from deploy.documents.plausible import Plausible
from deploy.documents.rollout import Rollout
from deploy.documents.scale import Scale


class Quota(Document):
    """The quota that the instances use."""

    capacity: Literal["dedicated", "shared"] = Field(
        default="dedicated",
        description="dedicated: quota of the subscription. shared: a lease of 168 hours on Azure's shared pool.",
    )
    duration: Annotated[Duration, Field(gt=0, le=604_800)] = Field(
        default=604_800.0, description="Lease of an endpoint on shared quota: at most 168h.", examples=["168h"]
    )
    fallback: Literal["dedicated"] | None = Field(
        default=None,
        description="Quota for a new endpoint if the shared pool is still full at retry.deadline.",
        examples=["dedicated"],
    )
    api_version: str | None = Field(
        default=None,
        pattern=r"^\d{4}-\d{2}-\d{2}(-preview)?$",
        description="api-version for creating the endpoint directly with ARM, without azure-ai-ml.",
        examples=["2025-10-01-preview"],
    )


class Principal(Document):
    """The principal of a role assignment, by object id."""

    object_id: str = Field(
        pattern=GUID, description="Object id in Microsoft Entra ID.", examples=["11111111-1111-1111-1111-111111111111"]
    )
    type: Literal["User", "Group", "ServicePrincipal"] = Field(description="What the object id belongs to.")


class Role(Document):
    """A role assignment. `role` is the name or GUID of a built-in role; `scope` is a known word or a full ARM id."""

    role: str = Field(
        min_length=1, description="Name or GUID of a built-in role.", examples=["Storage Blob Data Reader"]
    )
    scope: str = Field(
        pattern=SCOPE,
        description="Scope of the role assignment: endpoint, workspace, workspace_storage, ... or a full ARM id.",
        examples=["workspace_storage"],
    )
    principal: Annotated[
        Annotated[Literal["endpoint"], Tag("reference")] | Annotated[Principal, Tag("inline")], Discriminator(union_tag)
    ] = Field(default="endpoint", description="The identity of the endpoint, or an object id.")


class Probe(Document):
    """A real scoring request with an expected response. `image` and `body` are paths inside the template folder."""

    source: Literal["runner"] = Field(
        default="runner", alias="from", exclude=True, description="Where the request is sent from.", examples=["runner"]
    )
    type: Literal["http", "medimageparse", "medimageparse3d", "medimageinsight", "cxrreportgen", "gigapath"] = Field(
        description="Which requests are sent, and how the response is checked."
    )
    image: str | None = Field(
        default=None, description="Sample image, a path inside the template folder.", examples=["probe/phantom.png"]
    )
    text: str | None = Field(
        default=None, description="One prompt, or several separated by &.", examples=["left lung & right lung"]
    )
    body: str | None = Field(
        default=None,
        description="Request body, a JSON file inside the template folder.",
        examples=["probe/request.json"],
    )
    status: Whole = Field(default=200, ge=100, le=599, description="Expected HTTP status.")
    answer: dict[str, Any] | str | None = Field(
        default=None,
        description="http only: JSON Schema of the response, or a file in the template folder that contains it.",
        examples=[{"type": "object", "required": ["species"]}],
    )
    max_seconds: Duration | None = Field(
        default=None, description="Longest response time that passes: 2s, 1m.", examples=["2s"]
    )
    plausible: Annotated[
        Annotated[Literal["unchecked"], Tag("reference")] | Annotated[Plausible, Tag("inline")],
        Discriminator(union_tag),
    ] = Field(
        default=Plausible(),
        description="Which answers to the sample are plausible; `unchecked` checks only their form.",
        examples=[{"sides": "radiological"}],
    )
    cases: str | None = Field(
        default=None,
        min_length=1,
        description="Folder with a YAML file for each case, or one file with many; relative to the template folder.",
        examples=["probe/cases"],
    )
    attempts: Whole = Field(
        default=5,
        ge=1,
        le=100,
        description="How often the request is sent. Sent again after: no connection, no answer in time, HTTP 404, 408, "
        "429 and 5xx, 401 and 403 while a role is new. Not after a wrong answer or an error of your code (Azure "
        "reports it as HTTP 424), unless that is 429, 502, 503 or 504.",
    )
    timeout: Annotated[Duration, Field(gt=0)] = Field(
        default=90.0,
        description="Time until the answer of one attempt is complete: 90s, 5m, or seconds.",
        examples=["90s"],
    )
    max_answer_mb: Whole = Field(default=64, ge=1, le=1024, description="Largest answer that is read, in MB.")


def _without_probe(value: Any) -> Any:
    """`{from: none}` is no probe."""
    return None if value == {"from": "none"} else value


def _or_none(schema: dict[str, Any]) -> None:
    none = {"type": "object", "properties": {"from": {"const": "none"}}, "required": ["from"]}
    schema["anyOf"].append({**none, "additionalProperties": False})


class RetryPolicy(Document):
    """How long a step is retried, for example while a role is not yet effective or an endpoint is busy."""

    attempts: Whole = Field(default=6, ge=1, le=100, description="How often a step is tried.")
    deadline: Duration = Field(
        default=1800.0, description="Time for all attempts together: 30m, or seconds.", examples=["30m"]
    )


class Alias(Document):
    """Where clients look up the current endpoint. Set exactly one of file, github_variable and command."""

    file: str | None = Field(
        default=None,
        min_length=1,
        description="JSON file, relative to the project folder.",
        examples=["endpoints.json"],
    )
    github_variable: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="Name of a GitHub Actions variable.",
        examples=["MIP_ENDPOINT"],
    )
    repository: str | None = Field(
        default=None, pattern=r"^[\w.-]+/[\w.-]+$", description="owner/name.", examples=["acme/client"]
    )
    command: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Program and arguments, run without a shell.",
        examples=[["./set-alias"]],
    )

    @model_validator(mode="after")
    def _is_one(self) -> Alias:
        if sum(kind is not None for kind in (self.file, self.github_variable, self.command)) != 1:
            raise ValueError("must have exactly one of file, github_variable and command")
        return self


class LeasePolicy(Document):
    """Settings for the renewal of a lease on shared quota."""

    alias: Alias | None = Field(
        default=None, description="Where clients look up the current endpoint.", examples=[{"file": "endpoints.json"}]
    )
    drain: Duration = Field(
        default=600.0, description="How long the old endpoint keeps running after the alias moved.", examples=["10m"]
    )


class Pipeline(Document):
    """`pipeline.yml`: settings that the CLI v2 files do not have. Each key is optional."""

    quota: Quota = Field(
        default=Quota(), description="The quota that the instances use.", examples=[{"capacity": "shared"}]
    )
    roles: tuple[Role, ...] = Field(
        default=(),
        description="Role assignments that the endpoint needs.",
        examples=[[{"role": "AcrPull", "scope": "workspace_registry"}]],
    )
    probe: Annotated[Probe | None, BeforeValidator(_without_probe)] = Field(
        default=None,
        description="A request before traffic moves. `{from: none}`: no probe, as this machine cannot send one.",
        json_schema_extra=_or_none,
        examples=[{"type": "http", "body": "probe/request.json"}],
    )
    rollout: Rollout = Field(
        default=Rollout(),
        description="How traffic moves to a new release.",
        examples=[{"stages": [10, 50, 100], "bake": "5m"}],
    )
    retry: RetryPolicy = Field(
        default=RetryPolicy(), description="How long a step is retried.", examples=[{"attempts": 6, "deadline": "30m"}]
    )
    lease: LeasePolicy = Field(
        default=LeasePolicy(),
        description="Settings for the renewal of a lease on shared quota.",
        examples=[{"drain": "10m"}],
    )
    scale: Scale | None = Field(
        default=None, description="Instances by load and time.", examples=[{"min": 1, "max": 4}]
    )
