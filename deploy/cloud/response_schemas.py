"""What is read of Azure's answers, as its documentation has them. An answer of any other form is no answer.

Only what we read is named here, and what may be null there may be null here. Whoever asks gets the answer as it came;
nothing is converted. Why a form is foreign is said by its first wrong place.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.alias_generators import to_camel

from deploy.domain.arm import Json
from deploy.errors import Unanswered

Whole = Annotated[int, Field(ge=0, lt=2**63)]
Limit = Annotated[int, Field(ge=-1, lt=2**63)]
"""-1 is no limit."""
Number = Whole | float
_CURE = "See whether somebody answers in Azure's place, a proxy for one, and try again"


class Schema(BaseModel):
    """An object; whatever else it holds is not looked at."""

    model_config = ConfigDict(strict=True, alias_generator=to_camel, allow_inf_nan=False, defer_build=True)


class Name(Schema):
    """The name of a row of quota."""

    value: str


class Usage(Schema):
    """A row of usages or quotas."""

    id: str
    name: Name
    type: str | None = None
    current_value: Whole | None = None
    limit: Limit | None = None


class Price(Schema):
    """What an hour of a size costs."""

    retail_price: Number | None = None
    os_type: str | None = None
    vm_tier: str | None = None


class Prices(Schema):
    """All that a size costs."""

    values: list[Price] | None = None
    billing_currency: str | None = None


class Size(Schema):
    """A row of vmSizes."""

    name: str
    family: str | None = None
    cores: Whole | None = Field(None, alias="vCPUs")
    gpus: Whole | None = None
    memory: Number | None = Field(None, alias="memoryGB")
    disk: Number | None = Field(None, alias="maxResourceVolumeMB")
    prices: Prices | None = Field(None, alias="estimatedVMPrices")
    supported_compute_types: list[str] | None = None


class Permission(Schema):
    """One block of what the caller may do."""

    actions: list[str]
    not_actions: list[str] | None = None


class Assigned(Schema):
    """Who holds what where."""

    scope: str
    principal_id: str
    role_definition_id: str
    principal_type: str | None = None
    description: str | None = None


class Assignment(Schema):
    """A role assignment."""

    id: str
    name: str
    properties: Assigned


class Definition(Schema):
    """A role."""

    name: str


class Claims(Schema):
    """What a publisher says of a model."""

    tags: dict[str, str | None] | None = None
    properties: dict[str, str | None] | None = None


class Version(Schema):
    """A version of a model."""

    name: str
    properties: Claims | None = None


class Registry(Schema):
    """Where a registry is at home."""

    primary_region_resource_provider_uri: str = Field(pattern="^https://")
    subscription_id: str
    resource_group: str
    registry_name: str


class Availability(Schema):
    """Whether a name is free."""

    name_available: bool | None = None
    message: str | None = None


class Stores(Schema):
    """What belongs to a workspace."""

    storage_account: str | None = None
    container_registry: str | None = None
    key_vault: str | None = None


class Workspace(Schema):
    """A workspace."""

    location: str
    properties: Stores | None = None


class Identity(Schema):
    """Who an endpoint is."""

    type: str | None = None
    principal_id: str | None = None
    user_assigned_identities: dict[str, Any] | None = None


class Sku(Schema):
    """How many instances a deployment has."""

    capacity: Whole | None = None


class Online(Schema):
    """How an endpoint or a deployment is; what a file can say of it is compared as it came."""

    provisioning_state: str | None = None
    scoring_uri: str | None = None
    traffic: dict[str, Whole] | None = None
    mirror_traffic: dict[str, Whole] | None = None
    properties: dict[str, Any] | None = None


class Resource(Schema):
    """An endpoint or a deployment."""

    id: str
    name: str
    properties: Online
    tags: dict[str, Any] | None = None
    identity: Identity | None = None
    sku: Sku | None = None


class Keys(Schema):
    """What callers of an endpoint show."""

    primary_key: str | None = None


class Token(Schema):
    """What callers of an endpoint show for an hour."""

    access_token: str


class Log(Schema):
    """What a container said."""

    content: str | None = None


class Scaled(Schema):
    """What an autoscale setting scales."""

    target_resource_uri: str | None = None


class Autoscale(Schema):
    """An autoscale setting."""

    id: str
    name: str
    properties: Scaled | None = None


@cache
def page(row: type[Schema]) -> type[Schema]:
    """A page of a list of such rows."""
    return create_model("Page", __base__=Schema, value=(list[row], ...), next_link=(str | None, None))  # type: ignore[valid-type]


def checked(answer: Json, schema: type[Schema], what: str) -> Json:
    """The answer as it came. Raises Unanswered for one of another form."""
    try:
        schema.model_validate(answer)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:80] or "it"
        said = "is missing" if first["type"] == "missing" else "has another form"
        raise unexpected_response(what, f"{where} {said}") from None
    return answer


def unexpected_response(what: str, why: str) -> Unanswered:
    """The error for an answer that is not what Azure's documentation says."""
    return Unanswered(what, f"the answer is not as Azure documents it: {why}", _CURE, code="AML362")
