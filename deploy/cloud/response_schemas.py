"""Schemas of Azure's responses, as documented. A response of another form counts as no response.

The schemas contain only the fields that we read, nullable as in the documentation. Responses are checked, not
converted. The error names the first field that does not match.
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
"""-1 means no limit."""
Number = Whole | float
_CURE = "Check whether a proxy answers instead of Azure, and try again"


class Schema(BaseModel):
    """An object; other fields are ignored."""

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
    """The price per hour of a VM size."""

    retail_price: Number | None = None
    os_type: str | None = None
    vm_tier: str | None = None


class Prices(Schema):
    """All prices of a VM size."""

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
    """One block of allowed actions."""

    actions: list[str]
    not_actions: list[str] | None = None


class Assigned(Schema):
    """The properties of a role assignment."""

    scope: str
    principal_id: str
    role_definition_id: str
    principal_type: str | None = None
    description: str | None = None
    created_on: str | None = None


class Assignment(Schema):
    """A role assignment."""

    id: str
    name: str
    properties: Assigned


class Definition(Schema):
    """A role."""

    name: str


class Named(Schema):
    """A resource of which only the name matters."""

    name: str


class Principal(Schema):
    """The principal of a user-assigned identity."""

    principal_id: str | None = None


class UserIdentity(Schema):
    """A user-assigned identity."""

    properties: Principal | None = None


class Claims(Schema):
    """Tags and properties of a model version."""

    tags: dict[str, str | None] | None = None
    properties: dict[str, str | None] | None = None


class Version(Schema):
    """A version of a model."""

    name: str
    properties: Claims | None = None


class Registry(Schema):
    """The location of a registry."""

    primary_region_resource_provider_uri: str = Field(pattern="^https://")
    subscription_id: str
    resource_group: str
    registry_name: str


class Availability(Schema):
    """Whether a name is available."""

    name_available: bool | None = None
    message: str | None = None


class Stores(Schema):
    """The resources of a workspace."""

    storage_account: str | None = None
    container_registry: str | None = None
    key_vault: str | None = None


class Workspace(Schema):
    """A workspace."""

    location: str
    properties: Stores | None = None


class Identity(Schema):
    """The identity of an endpoint."""

    type: str | None = None
    principal_id: str | None = None
    user_assigned_identities: dict[str, Any] | None = None


class Sku(Schema):
    """The number of instances of a deployment."""

    capacity: Whole | None = None


class Online(Schema):
    """The properties of an endpoint or a deployment. The diff reads further fields."""

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
    """The keys of an endpoint."""

    primary_key: str | None = None


class Token(Schema):
    """A token of an endpoint, valid for an hour."""

    access_token: str


class Log(Schema):
    """The log of a container."""

    content: str | None = None


class Scaled(Schema):
    """The target of an autoscale setting."""

    target_resource_uri: str | None = None


class Autoscale(Schema):
    """An autoscale setting."""

    id: str
    name: str
    properties: Scaled | None = None


class PolicyAssigned(Schema):
    """The properties of a policy assignment."""

    policy_definition_id: str
    display_name: str | None = None
    enforcement_mode: str | None = None


class PolicyAssignment(Schema):
    """A policy assignment."""

    id: str
    name: str
    properties: PolicyAssigned


class PolicyRule(Schema):
    """The properties of a policy definition."""

    mode: str | None = None


class PolicyDefinition(Schema):
    """A policy definition."""

    properties: PolicyRule


class PolicyInfo(Schema):
    """The ids of a policy and its assignment."""

    policy_definition_id: str | None = None
    policy_assignment_id: str | None = None


class Restriction(Schema):
    """What a policy does with the values of a field."""

    result: str
    values: list[str] | None = None
    policy: PolicyInfo | None = None
    reason: str | None = None


class FieldRestrictions(Schema):
    """The restrictions of one field."""

    field: str
    restrictions: list[Restriction] | None = None


class Expression(Schema):
    """A condition of a policy, its value in the resource, and the value that it is compared with."""

    path: str | None = None
    expression: str | None = None


class Evaluated(Schema):
    """The conditions of a policy."""

    evaluated_expressions: list[Expression] | None = None


class Effect(Schema):
    """What a policy does with a resource that is not compliant."""

    policy_effect: str | None = None


class Evaluation(Schema):
    """A policy that the resource does not comply with."""

    policy_info: PolicyInfo | None = None
    evaluation_result: str | None = None
    evaluation_details: Evaluated | None = None
    effect_details: Effect | None = None


class Evaluations(Schema):
    """The policies that the resource does not comply with."""

    policy_evaluations: list[Evaluation] | None = None


class Restrictions(Schema):
    """The answer of checkPolicyRestrictions."""

    field_restrictions: list[FieldRestrictions] | None = None
    content_evaluation_result: Evaluations | None = None


@cache
def page(row: type[Schema]) -> type[Schema]:
    """The schema of a page of a list."""
    return create_model("Page", __base__=Schema, value=(list[row], ...), next_link=(str | None, None))  # type: ignore[valid-type]


def checked(answer: Json, schema: type[Schema], what: str) -> Json:
    """The unchanged response. Raises Unanswered if it does not match the schema."""
    try:
        schema.model_validate(answer)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:80] or "it"
        problem = "is missing" if first["type"] == "missing" else "has another form"
        raise unexpected_response(what, f"{where} {problem}") from None
    return answer


def unexpected_response(what: str, why: str) -> Unanswered:
    """The error for a response that does not match Azure's documentation."""
    return Unanswered(what, f"the response differs from Azure's documentation: {why}", _CURE, code="AML362")


class MetricPoint(Schema):
    """One minute of a metric; `average` is missing for a minute without data."""

    time_stamp: str
    average: Number | None = None


class MetricDimension(Schema):
    """A dimension and its value in one time series."""

    name: Name
    value: str


class MetricSeries(Schema):
    """A time series of a metric, for one combination of the dimensions that the filter splits by."""

    metadatavalues: list[MetricDimension] | None = None
    data: list[MetricPoint] | None = None


class Metric(Schema):
    """One of the metrics that were asked for."""

    name: Name
    timeseries: list[MetricSeries] | None = None


class Metrics(Schema):
    """The answer of Azure Monitor; no series for a resource without data."""

    value: list[Metric]
