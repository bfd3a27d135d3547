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
    )
    max_hourly_cost: Amount | None = Field(
        default=None,
        description="Maximum cost per hour of all endpoints of this file at the peak of a plan, with idle slots. "
        f"{_CURRENCY}",
    )
    max_monthly_cost: Amount | None = Field(
        default=None,
        description="Maximum cost per month (730 hours) of all endpoints of this file after a plan, with idle slots. "
        f"{_CURRENCY}",
    )
    require_probe: Flag = Field(
        default=False, description="Refuse plans that move traffic to a release if pipeline.yml has no probe."
    )


class ServiceLimitsDocument(Document):
    """Limits of the subscription that Azure raised on request. No API returns them."""

    endpoints: Count | None = Field(
        default=None, ge=1, description="Online and batch endpoints of the subscription in the region; 100 by default."
    )
    deployments: Count | None = Field(
        default=None, ge=1, description="Deployments of the subscription in the region; 500 by default."
    )
    deployments_per_endpoint: Count | None = Field(
        default=None, ge=1, description="Deployments of one endpoint; 20 by default."
    )


class EntryDocument(Document):
    """An endpoint: a template and its values."""

    template: str = Field(min_length=1, description="Name of a folder in templates/.")
    values: dict[str, Any] = Field(
        default={}, description="Values that override the values of the environment with the same key."
    )
    pipeline: dict[str, Any] = Field(
        default={},
        description="Merged over the template's pipeline.yml: mappings by key, lists as a whole; null removes a key.",
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
    lock: Literal["required", "best_effort", "off"] = Field(
        default="required",
        description="Whether a run that changes an endpoint must hold its lock, so that no other run changes it "
        "meanwhile. best_effort: go on if no lock is possible.",
    )
    service_limits: ServiceLimitsDocument = ServiceLimitsDocument()
    notices: tuple[Notice, ...] = Field(default=(), description="Channels for notices before a lease ends.")
