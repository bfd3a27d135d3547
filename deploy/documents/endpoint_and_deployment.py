"""Pydantic models of the endpoint and deployment files of Azure ML CLI v2, for managed online endpoints.

Keys, defaults and limits are those of the published YAML reference, or of azure-ai-ml where it accepts less.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Strict, Tag

from deploy.documents.fields import (
    COLLECTION,
    DATA,
    IDENTITY,
    AssetName,
    Count,
    Document,
    EnvironmentReference,
    Flag,
    ModelReference,
    Name,
    Percent,
    Scalar,
    StringMap,
    Switch,
    Whole,
    union_tag,
)
from deploy.documents.inline_assets import Code, InlineEnvironment, InlineModel

AUTH_MODES = {"key": "Key", "aml_token": "AMLToken", "aad_token": "AADToken"}
"""Authentication modes: CLI v2 name -> ARM name."""


_EXAMPLE_IDENTITY = (
    "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg"
    "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/my-identity"
)


class UserAssigned(Document):
    """A user-assigned identity."""

    resource_id: str | None = Field(
        default=None,
        pattern=IDENTITY,
        description="ARM id of the identity.",
        examples=[_EXAMPLE_IDENTITY],
    )
    client_id: str | None = Field(
        default=None,
        description="Client id of the identity; Azure sets it.",
        examples=["11111111-1111-1111-1111-111111111111"],
    )
    object_id: str | None = Field(
        default=None,
        description="Object id of the identity; Azure sets it.",
        examples=["11111111-1111-1111-1111-111111111111"],
    )


class Identity(Document):
    """The identity of the endpoint. It cannot change after creation."""

    type: Literal["system_assigned", "user_assigned", "none"] = Field(description="Which identity the endpoint has.")
    principal_id: str | None = Field(
        default=None,
        description="Object id of the identity; Azure sets it.",
        examples=["11111111-1111-1111-1111-111111111111"],
    )
    tenant_id: str | None = Field(
        default=None,
        description="Tenant of the identity; Azure sets it.",
        examples=["11111111-1111-1111-1111-111111111111"],
    )
    user_assigned_identities: list[UserAssigned] = Field(
        default=[],
        max_length=1,
        description="At most one.",
        examples=[[{"resource_id": _EXAMPLE_IDENTITY}]],
    )


class EndpointDocument(Document):
    """A managed online endpoint, in the form that `az ml online-endpoint create -f` reads."""

    schema_: str | None = Field(
        default=None,
        alias="$schema",
        description="The JSON Schema of this file, for editors of `az ml`. Not sent to Azure.",
        examples=["https://azuremlschemas.azureedge.net/latest/managedOnlineEndpoint.schema.json"],
    )
    name: Name = Field(
        description="Unique in its Azure region. 3 to 32 lower-case letters, digits and single dashes.",
        examples=["my-endpoint"],
    )
    description: str | None = Field(default=None, description="Text for readers.", examples=["Segments CT images."])
    tags: StringMap = Field(
        default={}, description="Names and values, which can change.", examples=[{"team": "imaging"}]
    )
    properties: StringMap = Field(
        default={}, description="Properties can be added, but not changed or removed.", examples=[{"origin": "example"}]
    )
    auth_mode: Literal["key", "aml_token", "aad_token"] = Field(
        default="key", description="How clients sign in: with a key, or with a token of Azure ML or Microsoft Entra."
    )
    identity: Identity | None = Field(
        default=None, description="Default: system_assigned.", examples=[{"type": "system_assigned"}]
    )
    traffic: dict[str, Percent] | None = Field(
        default=None, description="Deployment -> percent. The sum is 0 or 100.", examples=[{"blue": 100}]
    )
    mirror_traffic: dict[str, Percent] | None = Field(
        default=None, description="One deployment -> at most 50 percent.", examples=[{"green": 10}]
    )
    public_network_access: Switch = Field(
        default="enabled", description="Whether the endpoint can be called from the internet."
    )


class ScaleSettings(Document):
    """Managed deployments are scaled by instance_count or by Azure Monitor."""

    type: Literal["default"] = Field(description="Azure allows only default for managed deployments.")


class RequestSettings(Document):
    """Limits for the requests to one instance."""

    request_timeout_ms: Whole = Field(
        default=5000,
        ge=1,
        le=180_000,
        description="Time for the answer to a request, in milliseconds.",
        examples=[90000],
    )
    max_concurrent_requests_per_instance: Count = Field(
        default=1, ge=1, description="Requests that one instance gets at the same time.", examples=[8]
    )
    max_queue_wait_ms: Count = Field(default=500, ge=0, description="No longer used by managed deployments.")


class ReadinessProbe(Document):
    """When a container is ready for requests. Times are in seconds."""

    initial_delay: Count = Field(default=10, ge=1, description="Seconds after the container has started.")
    period: Count = Field(default=10, ge=1, description="Seconds between two checks.")
    timeout: Count = Field(default=2, ge=1, description="Seconds until a check without an answer has failed.")
    success_threshold: Count = Field(default=1, ge=1, description="Successes in a row until the container is ready.")
    failure_threshold: Count = Field(
        default=30, ge=1, description="Failures in a row until the container is not ready, or is restarted."
    )


class LivenessProbe(ReadinessProbe):
    """When a container is restarted. Times are in seconds."""

    success_threshold: Whole = Field(default=1, ge=1, le=1, description="Azure allows only 1.")


class DataAsset(Document):
    """The data asset for collected data."""

    name: AssetName | None = Field(default=None, description="Name of the data asset.", examples=["requests"])
    path: str | None = Field(
        default=None,
        pattern=DATA,
        description="A path in a datastore.",
        examples=["azureml://datastores/workspaceblobstore/paths/collected"],
    )
    version: Scalar = Field(default=None, description="Version of the data asset.", examples=["1"])


class Collection(Document):
    """One collection. The collections `request` and `response` contain the payloads."""

    enabled: Literal[True, False, "True", "False", "true", "false"] = Field(
        description="Whether this collection is written."
    )
    data: DataAsset = Field(
        default=DataAsset(), description="The data asset for this collection.", examples=[{"name": "requests"}]
    )
    client_id: str | None = Field(
        default=None,
        description="Client id of the identity that writes.",
        examples=["11111111-1111-1111-1111-111111111111"],
    )


class RequestLogging(Document):
    """The headers that are saved with the payload."""

    capture_headers: list[str] = Field(
        default=[], description="Names of headers that are saved, too.", examples=[["x-request-id"]]
    )


class DataCollector(Document):
    """Collects requests and responses."""

    collections: dict[Annotated[str, Field(pattern=COLLECTION)], Collection] = Field(
        min_length=1, description="Name -> collection.", examples=[{"request": {"enabled": True}}]
    )
    rolling_rate: Literal["minute", "hour", "day", "Minute", "Hour", "Day"] = Field(
        default="hour", description="How often a new file begins."
    )
    sampling_rate: Annotated[float, Strict()] = Field(
        default=1.0, ge=0, le=1, description="Share of the requests that is collected.", examples=[0.1]
    )
    request_logging: RequestLogging = Field(
        default=RequestLogging(),
        description="Headers that are saved, too.",
        examples=[{"capture_headers": ["x-request-id"]}],
    )


class DeploymentDocument(Document):
    """A managed online deployment, in the form that `az ml online-deployment create -f` reads."""

    schema_: str | None = Field(
        default=None,
        alias="$schema",
        description="The JSON Schema of this file, for editors of `az ml`. Not sent to Azure.",
        examples=["https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json"],
    )
    name: Name = Field(
        description="3 to 32 lower-case letters, digits and single dashes, such as blue.", examples=["blue"]
    )
    endpoint_name: str = Field(description="The name in the endpoint file.", examples=["my-endpoint"])
    type: Literal["managed"] = Field(default="managed", description="Only managed is supported.")
    description: str | None = Field(default=None, description="Text for readers.", examples=["The May model."])
    tags: StringMap = Field(
        default={}, description="Names and values, which can change.", examples=[{"team": "imaging"}]
    )
    properties: StringMap = Field(
        default={}, description="Properties can be added, but not changed or removed.", examples=[{"origin": "example"}]
    )
    model: Annotated[
        Annotated[ModelReference, Tag("reference")] | Annotated[InlineModel, Tag("inline")], Discriminator(union_tag)
    ] = Field(
        default="azureml:",
        description="azureml:<name>:<version>, a model in a registry, or an inline model.",
        examples=["azureml:iris:1"],
    )
    model_mount_path: str | None = Field(
        default=None, description="Where a container of your own finds the model.", examples=["/var/models"]
    )
    code_configuration: Code | None = Field(
        default=None,
        description="The scoring script; not for MLflow models and containers with their own server.",
        examples=[{"code": "code", "scoring_script": "score.py"}],
    )
    environment: Annotated[
        Annotated[EnvironmentReference, Tag("reference")] | Annotated[InlineEnvironment, Tag("inline")],
        Discriminator(union_tag),
    ] = Field(
        default="azureml:",
        description="azureml:<name>:<version>, an environment in a registry, or an inline environment.",
        examples=["azureml:iris-env:1"],
    )
    environment_variables: StringMap = Field(
        default={}, description="Values are text in the container.", examples=[{"WORKER_COUNT": 8}]
    )
    instance_type: str = Field(
        min_length=1, description="A VM size, such as Standard_NC24ads_A100_v4.", examples=["Standard_DS3_v2"]
    )
    instance_count: Whole = Field(
        ge=1,
        le=50,
        description="Number of instances.",
        examples=[1],
    )
    app_insights_enabled: Flag = Field(
        default=False,
        description="Whether logs and metrics go to the Application Insights of the workspace.",
        examples=[True],
    )
    scale_settings: ScaleSettings | None = Field(
        default=None, description="Only `type: default`: use `scale` in pipeline.yml.", examples=[{"type": "default"}]
    )
    egress_public_network_access: Switch = Field(
        default="enabled",
        description="disabled: model, code and image are loaded through private endpoints only.",
    )
    private_network_connection: Flag = Field(
        default=False, description="Whether the container uses a private network connection."
    )
    request_settings: RequestSettings | None = Field(
        default=None, description="Limits for the requests to one instance.", examples=[{"request_timeout_ms": 90000}]
    )
    liveness_probe: LivenessProbe | None = Field(
        default=None, description="When the container is restarted.", examples=[{"initial_delay": 600}]
    )
    readiness_probe: ReadinessProbe | None = Field(
        default=None, description="When the container gets requests.", examples=[{"initial_delay": 10}]
    )
    data_collector: DataCollector | None = Field(
        default=None,
        description="Saves requests and responses as data assets.",
        examples=[{"collections": {"request": {"enabled": True}}}],
    )
