"""Pydantic models of the endpoint and deployment files of Azure ML CLI v2, for managed online endpoints.

Keys, defaults and limits are those of the published YAML reference, or of azure-ai-ml where it accepts less.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

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

AUTH_MODES = {"key": "Key", "aml_token": "AMLToken", "aad_token": "AADToken"}
"""Authentication modes: CLI v2 name -> ARM name."""


class UserAssigned(Document):
    """A user-assigned identity."""

    resource_id: str | None = Field(default=None, pattern=IDENTITY, description="ARM id of the identity.")
    client_id: str | None = None
    object_id: str | None = None


class Identity(Document):
    """The identity of the endpoint. It cannot change after creation."""

    type: Literal["system_assigned", "user_assigned", "none"]
    principal_id: str | None = None
    tenant_id: str | None = None
    user_assigned_identities: list[UserAssigned] = Field(default=[], max_length=1, description="At most one.")


class EndpointDocument(Document):
    """A managed online endpoint, in the form that `az ml online-endpoint create -f` reads."""

    schema_: str | None = Field(default=None, alias="$schema")
    name: Name = Field(description="Unique in its Azure region. 3 to 32 lower-case letters, digits and single dashes.")
    description: str | None = None
    tags: StringMap = Field(default={})
    properties: StringMap = Field(default={}, description="Properties can be added, but not changed or removed.")
    auth_mode: Literal["key", "aml_token", "aad_token"] = "key"
    identity: Identity | None = Field(default=None, description="Default: system_assigned.")
    traffic: dict[str, Percent] | None = Field(default=None, description="Deployment -> percent. The sum is 0 or 100.")
    mirror_traffic: dict[str, Percent] | None = Field(default=None, description="One deployment -> at most 50 percent.")
    public_network_access: Switch = "enabled"


class Code(Document):
    """The scoring code."""

    code: str | None = Field(default=None, description="Folder, relative to this file.")
    scoring_script: str | None = Field(default=None, description="File inside the folder.")


class InlineModel(Document):
    """A model that is registered with the deployment."""

    schema_: str | None = Field(default=None, alias="$schema")
    name: AssetName | None = None
    version: Scalar = None
    path: str = Field(min_length=1, description="File or folder relative to this file; with a name also a URI.")
    type: Literal["custom_model", "mlflow_model", "triton_model"] = "custom_model"
    description: str | None = None
    tags: StringMap = Field(default={})
    properties: StringMap = Field(default={})
    flavors: dict[str, dict[str, Any]] = Field(default={})
    stage: str | None = None
    datastore: str | None = None


class Route(Document):
    """One HTTP route of a container."""

    port: Whole = Field(ge=1, le=65535)
    path: str = Field(pattern="^/")


class InferenceConfig(Document):
    """The HTTP routes of a custom container."""

    liveness_route: Route
    readiness_route: Route
    scoring_route: Route


class Build(Document):
    """A docker build context."""

    path: str = Field(description="Folder relative to this file, or a URL.")
    dockerfile_path: str | None = None


class InlineEnvironment(Document):
    """An environment that is registered with the deployment."""

    schema_: str | None = Field(default=None, alias="$schema")
    name: AssetName | None = None
    version: Scalar = None
    image: str | None = Field(default=None, min_length=1)
    conda_file: Annotated[
        Annotated[str, Tag("reference")] | Annotated[dict[str, Any], Tag("inline")], Discriminator(union_tag)
    ] = Field(default="", description="File relative to this file, or its content.")
    build: Build | None = None
    inference_config: InferenceConfig | None = None
    os_type: Literal["linux", "windows", "Linux", "Windows"] = "linux"
    description: str | None = None
    tags: StringMap = Field(default={})
    datastore: str | None = None


class ScaleSettings(Document):
    """Managed deployments are scaled by instance_count or by Azure Monitor."""

    type: Literal["default"]


class RequestSettings(Document):
    """Limits for the requests to one instance."""

    request_timeout_ms: Whole = Field(default=5000, ge=1, le=180_000)
    max_concurrent_requests_per_instance: Count = Field(default=1, ge=1)
    max_queue_wait_ms: Count = Field(default=500, ge=0, description="No longer used by managed deployments.")


class ReadinessProbe(Document):
    """When a container is ready for requests. Times are in seconds."""

    initial_delay: Count = Field(default=10, ge=1, description="Seconds after the container has started.")
    period: Count = Field(default=10, ge=1)
    timeout: Count = Field(default=2, ge=1)
    success_threshold: Count = Field(default=1, ge=1)
    failure_threshold: Count = Field(default=30, ge=1)


class LivenessProbe(ReadinessProbe):
    """When a container is restarted. Times are in seconds."""

    success_threshold: Whole = Field(default=1, ge=1, le=1, description="Azure allows only 1.")


class DataAsset(Document):
    """The data asset for collected data."""

    name: AssetName | None = None
    path: str | None = Field(default=None, pattern=DATA, description="A path in a datastore.")
    version: Scalar = None


class Collection(Document):
    """One collection. The collections `request` and `response` contain the payloads."""

    enabled: Literal[True, False, "True", "False", "true", "false"]
    data: DataAsset = DataAsset()
    client_id: str | None = None


class RequestLogging(Document):
    """The headers that are saved with the payload."""

    capture_headers: list[str] = Field(default=[])


class DataCollector(Document):
    """Collects requests and responses."""

    collections: dict[Annotated[str, Field(pattern=COLLECTION)], Collection] = Field(min_length=1)
    rolling_rate: Literal["minute", "hour", "day", "Minute", "Hour", "Day"] = "hour"
    sampling_rate: Annotated[float, Strict()] = Field(default=1.0, ge=0, le=1)
    request_logging: RequestLogging = RequestLogging()


class DeploymentDocument(Document):
    """A managed online deployment, in the form that `az ml online-deployment create -f` reads."""

    schema_: str | None = Field(default=None, alias="$schema")
    name: Name = Field(description="3 to 32 lower-case letters, digits and single dashes, such as blue.")
    endpoint_name: str = Field(description="The name in the endpoint file.")
    type: Literal["managed"] = "managed"
    description: str | None = None
    tags: StringMap = Field(default={})
    properties: StringMap = Field(default={}, description="Properties can be added, but not changed or removed.")
    model: Annotated[
        Annotated[ModelReference, Tag("reference")] | Annotated[InlineModel, Tag("inline")], Discriminator(union_tag)
    ] = Field(default="azureml:", description="azureml:<name>:<version>, a model in a registry, or an inline model.")
    model_mount_path: str | None = None
    code_configuration: Code | None = None
    environment: Annotated[
        Annotated[EnvironmentReference, Tag("reference")] | Annotated[InlineEnvironment, Tag("inline")],
        Discriminator(union_tag),
    ] = Field(
        default="azureml:",
        description="azureml:<name>:<version>, an environment in a registry, or an inline environment.",
    )
    environment_variables: StringMap = Field(default={}, description="Values are text in the container.")
    instance_type: str = Field(min_length=1, description="A VM size, such as Standard_NC24ads_A100_v4.")
    instance_count: Whole = Field(ge=1, le=50)
    app_insights_enabled: Flag = False
    scale_settings: ScaleSettings | None = None
    egress_public_network_access: Switch = "enabled"
    private_network_connection: Flag = False
    request_settings: RequestSettings | None = None
    liveness_probe: LivenessProbe | None = None
    readiness_probe: ReadinessProbe | None = None
    data_collector: DataCollector | None = None
