"""The pydantic models of a file of `environments/`. Rules for several fields are in config/validation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from deploy.documents.fields import (
    GUID,
    NAME,
    RESOURCE_GROUP,
    WORKSPACE,
    Amount,
    Count,
    Document,
    Flag,
)


class Notice(Document):
    """A channel for notices that a lease ends. The URL of a webhook is a secret, so `url_from` names a variable."""

    to: Literal["stdout", "github", "teams", "slack", "webhook"] = Field(description="Where the notice goes.")
    url_from: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="Environment variable with the URL of the webhook.",
        examples=["TEAMS_WEBHOOK_URL"],
    )

    @model_validator(mode="after")
    def _has_address(self) -> Notice:
        if (self.url_from is None) == (self.to in ("teams", "slack", "webhook")):
            raise ValueError("needs url_from for teams, slack and webhook, and must not have it otherwise")
        return self


_PROJECT = (
    "Short name of this repository, part of the tag that marks managed resources. Required unless cloud is local."
)


_CURRENCY = "In the currency of the prices that a plan prints."
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
        examples=[4],
    )
    max_hourly_cost: Amount | None = Field(
        default=None,
        description="Maximum cost per hour of all endpoints of this file at the peak of a plan, with idle slots. "
        f"{_CURRENCY}",
        examples=[10],
    )
    max_monthly_cost: Amount | None = Field(
        default=None,
        description="Maximum cost per month (730 hours) of all endpoints of this file after a plan, with idle slots. "
        f"{_CURRENCY}",
        examples=[5000],
    )
    require_probe: Flag = Field(
        default=False, description="Refuse plans that move traffic to a release if pipeline.yml has no probe."
    )


class ServiceLimitsDocument(Document):
    """Limits of the subscription that Azure raised on request. No API returns them."""

    endpoints: Count | None = Field(
        default=None,
        ge=1,
        description="Online and batch endpoints of the subscription in the region; 100 by default.",
        examples=[200],
    )
    deployments: Count | None = Field(
        default=None,
        ge=1,
        description="Deployments of the subscription in the region; 500 by default.",
        examples=[1000],
    )
    deployments_per_endpoint: Count | None = Field(
        default=None, ge=1, description="Deployments of one endpoint; 20 by default.", examples=[40]
    )


class EntryDocument(Document):
    """An endpoint: a template and its values."""

    template: str = Field(min_length=1, description="Name of a folder in templates/.", examples=["medimageparse"])
    values: dict[str, Any] = Field(
        default={},
        description="Values that override the values of the environment with the same key.",
        examples=[{"instance_count": 2}],
    )
    pipeline: dict[str, Any] = Field(
        default={},
        description="Merged over the template's pipeline.yml: mappings by key, lists as a whole; null removes a key.",
        examples=[{"rollout": {"stages": [10, 100]}}],
    )
    protected: Flag = Field(default=False, description=f"Refuse plans that delete this endpoint. {_IDLE}")


class EnvironmentDocument(Document):
    """`environments/<name>.yml`: the workspace to deploy to, and its endpoints."""

    cloud: Literal["local", "AzureCloud", "AzureUSGovernment", "AzureChinaCloud"] = Field(
        description="local is the emulator: no account, no network."
    )
    project: str | None = Field(default=None, pattern=NAME, max_length=32, description=_PROJECT, examples=["imaging"])
    subscription_id: str = Field(
        pattern=GUID,
        description="The subscription of the workspace.",
        examples=["11111111-1111-1111-1111-111111111111"],
    )
    resource_group: str = Field(
        pattern=RESOURCE_GROUP, description="The resource group of the workspace.", examples=["rg-imaging-dev"]
    )
    workspace: str = Field(pattern=WORKSPACE, description="The Azure ML workspace.", examples=["mlw-imaging-dev"])
    values: dict[str, Any] = Field(
        default={}, description="Default values for all endpoints of this file.", examples=[{"instance_count": 1}]
    )
    endpoints: dict[Annotated[str, Field(pattern=NAME, max_length=32)], EntryDocument] = Field(
        default={},
        description="Key -> template and values. The key names the endpoint on the command line.",
        examples=[{"mip": {"template": "medimageparse"}}],
    )
    guards: GuardsDocument = Field(
        default=GuardsDocument(), description="Limits that can refuse a plan.", examples=[{"max_instances": 4}]
    )
    lock: Literal["required", "best_effort", "off"] = Field(
        default="required",
        description="Whether a run that changes an endpoint must hold its lock, so that no other run changes it "
        "meanwhile. best_effort: go on if no lock is possible.",
    )
    service_limits: ServiceLimitsDocument = Field(
        default=ServiceLimitsDocument(),
        description="Limits of the subscription that Azure raised on request.",
        examples=[{"endpoints": 200}],
    )
    notices: tuple[Notice, ...] = Field(
        default=(),
        description="Channels for notices before a lease ends.",
        examples=[[{"to": "teams", "url_from": "TEAMS_WEBHOOK_URL"}]],
    )
