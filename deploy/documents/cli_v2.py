"""The endpoint and deployment files of Azure ML's CLI v2, for managed online endpoints, as pydantic models.

Keys, defaults and limits are those of the published YAML reference; where Azure's SDK takes less, what it takes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Strict, Tag

from deploy.documents.fields import (
    IDENTITY,
    Asset,
    Count,
    Flag,
    Name,
    Percent,
    Scalar,
    Switch,
    Whole,
    Words,
    Written,
    shape,
)

AUTH_MODES = {"key": "Key", "aml_token": "AMLToken", "aad_token": "AADToken"}
"""How callers show who they are, as files say it and as ARM does."""


class UserAssigned(Written):
    """A user-assigned identity."""

    resource_id: str | None = Field(default=None, pattern=IDENTITY, description="ARM id of the identity.")
    client_id: str | None = None
    object_id: str | None = None


class Identity(Written):
    """Who the endpoint is. Cannot change once the endpoint exists."""

    type: Literal["system_assigned", "user_assigned", "none"]
    principal_id: str | None = None
    tenant_id: str | None = None
    user_assigned_identities: list[UserAssigned] = Field(default=[], max_length=1, description="One at most.")


class EndpointDocument(Written):
    """A managed online endpoint, as `az ml online-endpoint create -f` takes it."""

    schema_: str | None = Field(default=None, alias="$schema")
    name: Name = Field(description="Unique in its Azure region. 3 to 32 lower-case letters, digits and single dashes.")
    description: str | None = None
    tags: Words = Field(default={})
    properties: Words = Field(default={}, description="Can be added to, never changed.")
    auth_mode: Literal["key", "aml_token", "aad_token"] = "key"
    identity: Identity | None = Field(default=None, description="The endpoint's own (system_assigned) when absent.")
    traffic: dict[str, Percent] | None = Field(default=None, description="Deployment -> percent; 0 or 100 in all.")
    mirror_traffic: dict[str, Percent] | None = Field(default=None, description="One deployment, at most 50 percent.")
    public_network_access: Switch = "enabled"


class Code(Written):
    """The scoring program."""

    code: str | None = Field(default=None, description="Folder, relative to this file.")
    scoring_script: str | None = Field(default=None, description="File inside the folder.")


class InlineModel(Written):
    """A model that is registered on the way."""

    schema_: str | None = Field(default=None, alias="$schema")
    name: str | None = None
    version: Scalar = None
    path: str = Field(description="File or folder relative to this file, or a URI.")
    type: Literal["custom_model", "mlflow_model", "triton_model"] = "custom_model"
    description: str | None = None
    tags: Words = Field(default={})
    properties: Words = Field(default={})
    flavors: dict[str, Any] = Field(default={})
    stage: str | None = None
    datastore: str | None = None


class Route(Written):
    """One HTTP route of a container."""

    port: Whole = Field(ge=1, le=65535)
    path: str = Field(pattern="^/")


class InferenceConfig(Written):
    """The routes of a container with its own server."""

    liveness_route: Route
    readiness_route: Route
    scoring_route: Route


class Build(Written):
    """A docker build context."""

    path: str = Field(description="Folder relative to this file, or a URL.")
    dockerfile_path: str | None = None


class InlineEnvironment(Written):
    """An environment that is registered on the way."""

    schema_: str | None = Field(default=None, alias="$schema")
    name: str | None = None
    version: Scalar = None
    image: str | None = None
    conda_file: Annotated[
        Annotated[str, Tag("reference")] | Annotated[dict[str, Any], Tag("inline")], Discriminator(shape)
    ] = Field(default="", description="File relative to this file, or its content.")
    build: Build | None = None
    inference_config: InferenceConfig | None = None
    os_type: Literal["linux", "windows", "Linux", "Windows"] = "linux"
    description: str | None = None
    tags: Words = Field(default={})
    properties: Words = Field(default={})
    datastore: str | None = None


class ScaleSettings(Written):
    """Managed deployments are scaled by instance_count or by Azure Monitor."""

    type: Literal["default"]


class RequestSettings(Written):
    """How one instance takes requests."""

    request_timeout_ms: Whole = Field(default=5000, ge=1, le=180_000)
    max_concurrent_requests_per_instance: Count = Field(default=1, ge=1)
    max_queue_wait_ms: Count = Field(default=500, ge=0, description="No longer used by managed deployments.")


class ReadinessProbe(Written):
    """When a container may be asked; seconds and counts."""

    initial_delay: Count = Field(default=10, ge=1, description="Seconds after the container has started.")
    period: Count = Field(default=10, ge=1)
    timeout: Count = Field(default=2, ge=1)
    success_threshold: Count = Field(default=1, ge=1)
    failure_threshold: Count = Field(default=30, ge=1)


class LivenessProbe(ReadinessProbe):
    """When a container is started again; seconds and counts."""

    success_threshold: Whole = Field(default=1, ge=1, le=1, description="Azure allows 1 only.")


class DataAsset(Written):
    """Where collected data is registered."""

    name: str | None = None
    path: str | None = None
    version: Scalar = None


class Collection(Written):
    """One thing that is collected; `request` and `response` are the payloads."""

    enabled: Literal[True, False, "True", "False", "true", "false"]
    data: Annotated[Annotated[str, Tag("reference")] | Annotated[DataAsset, Tag("inline")], Discriminator(shape)] = ""
    client_id: str | None = None


class RequestLogging(Written):
    """Which headers are kept with the payload."""

    capture_headers: list[str] = Field(default=[])


class DataCollector(Written):
    """Collects what callers send and get."""

    collections: dict[str, Collection] = Field(default={})
    rolling_rate: Literal["minute", "hour", "day", "Minute", "Hour", "Day"] = "hour"
    sampling_rate: Annotated[float, Strict()] = Field(default=1.0, ge=0, le=1)
    request_logging: RequestLogging = RequestLogging()


class DeploymentDocument(Written):
    """A managed online deployment, as `az ml online-deployment create -f` takes it."""

    schema_: str | None = Field(default=None, alias="$schema")
    name: Name = Field(description="3 to 32 lower-case letters, digits and single dashes, such as blue.")
    endpoint_name: str = Field(description="The name in the endpoint file.")
    type: Literal["managed"] = "managed"
    description: str | None = None
    tags: Words = Field(default={})
    properties: Words = Field(default={}, description="Can be added to, never changed.")
    model: Annotated[
        Annotated[Asset, Tag("reference")] | Annotated[InlineModel, Tag("inline")], Discriminator(shape)
    ] = Field(default="azureml:", description="azureml:<name>:<version>, a registry's model, or a model of its own.")
    model_mount_path: str | None = None
    code_configuration: Code | None = None
    environment: Annotated[
        Annotated[Asset, Tag("reference")] | Annotated[InlineEnvironment, Tag("inline")], Discriminator(shape)
    ] = Field(default="azureml:", description="azureml:<name>:<version>, a registry's environment, or one of its own.")
    environment_variables: Words = Field(default={}, description="Always text in the container.")
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
