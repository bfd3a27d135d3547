"""The schema of a world file: the initial resources of the emulator's world. `apply` writes them.

Every key is optional; a missing one means the default world's value.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from deploy.emulator.policy.definitions import Policy
from deploy.emulator.world.parse import Strict

Guid = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]
Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]{1,63}$")]
RegionName = Annotated[str, Field(pattern=r"^[a-z0-9]+$")]
Count = Annotated[int, Field(ge=0)]


class Region(Strict):
    """The limits of every subscription in a region. Cores by family; other families keep their default.

    `sizes` are the VM sizes of the region (default: all), `prices` US dollars per hour by VM size.
    """

    total_cores: Count | None = None
    clusters: Count | None = None
    low_priority_cores: Count | None = None
    families: dict[str, Count] = Field(default_factory=dict)
    endpoints: Count | None = None
    deployments: Count | None = None
    deployments_per_endpoint: Count | None = None
    sizes: list[str] | None = None
    prices: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)


class Connection(Strict):
    """A connection of a workspace. Only `listsecrets` returns the credentials."""

    name: Name
    category: str
    target: str = ""
    auth_type: str = "ApiKey"
    credentials: dict[str, str] = Field(default_factory=dict)
    metadata: dict[str, str] = Field(default_factory=dict)


class Workspace(Strict):
    """A workspace with its storage account, key vault, container registry and application insights.

    `quotas` limits the cores by family that it can use of its subscription's. `system_datastores_auth_mode` is how its
    own datastores are accessed (default: account keys).
    """

    name: Name
    subscription: Guid = "00000000-0000-0000-0000-000000000001"
    resource_group: Annotated[str, Field(pattern=r"^[-\w.()]{1,90}$")] = "rg-local"
    region: RegionName = "eastus"
    quotas: dict[str, Count] = Field(default_factory=dict)
    system_datastores_auth_mode: Literal["AccessKey", "Identity", "UserDelegationSAS"] | None = None
    connections: list[Connection] = Field(default_factory=list)


class Identity(Strict):
    """A user-assigned identity; by default in the first workspace's group and region."""

    name: Name
    subscription: Guid | None = None
    resource_group: Annotated[str, Field(pattern=r"^[-\w.()]{1,90}$")] | None = None
    region: RegionName | None = None


class Model(Strict):
    """A model of a registry; for a model of the default world, missing keys have the values there."""

    name: Name
    versions: list[Annotated[int, Field(ge=1)]] = Field(min_length=1)
    description: str | None = None
    tags: dict[str, str] | None = None
    properties: dict[str, str] | None = None


class Registry(Strict):
    """A registry; without `models` it has those of the default world."""

    name: Name
    region: RegionName = "eastus"
    models: list[Model] | None = None


class Principal(Strict):
    """A principal of the directory."""

    id: Guid
    name: str
    type: Literal["User", "Group", "ServicePrincipal"] = "ServicePrincipal"


class Role(Strict):
    """A role assignment. `principal`: an id, a principal's name, or `signed-in`. `scope`: an ARM id or a workspace."""

    principal: str
    role: str
    scope: str


class Deployment(Strict):
    """A deployment in state Succeeded."""

    name: str
    model: str | None = None
    environment: str | None = None
    instance_type: str
    instance_count: int = Field(1, ge=1)
    environment_variables: dict[str, str] = Field(default_factory=dict)
    tags: dict[str, str] = Field(default_factory=dict)
    properties: dict[str, str] = Field(default_factory=dict)


class Endpoint(Strict):
    """An endpoint in state Succeeded, in a workspace of this file (default: the first)."""

    name: str
    workspace: str | None = None
    identity: str | None = None
    auth_mode: Literal["key", "aml_token", "aad_token"] = "key"
    public_network_access: Literal["enabled", "disabled"] = "enabled"
    description: str | None = None
    traffic: dict[str, int] = Field(default_factory=dict)
    tags: dict[str, str] = Field(default_factory=dict)
    properties: dict[str, str] = Field(default_factory=dict)
    deployments: list[Deployment] = Field(default_factory=list)


class WorldFile(Strict):
    """The whole file."""

    regions: dict[RegionName, Region] = Field(default_factory=dict)
    workspaces: list[Workspace] | None = Field(None, min_length=1)
    registries: list[Registry] | None = None
    identities: list[Identity] | None = None
    principals: list[Principal] = Field(default_factory=list)
    roles: list[Role] | None = None
    policies: list[Policy] = Field(default_factory=list)
    endpoints: list[Endpoint] = Field(default_factory=list)
    settings: dict[str, Any] = Field(default_factory=dict)
    """As `GET /emulator/settings` returns them."""
