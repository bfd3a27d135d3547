"""Building a plan of steps: with leases, notes and the facts that it depends on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.domain import file_list, leases, provenance
from deploy.domain.arm import Facts, Json, address, facts_of
from deploy.domain.digests import digest, slow_digest
from deploy.domain.plan import Plan, Step, by_endpoint, digest_world
from deploy.domain.spec import EndpointSpec, Environment
from deploy.errors import Finding, Refused
from deploy.preflight import cost, refusals
from deploy.redact import redact_secrets, secrets_in
from deploy.steps import VOLATILE_FACTS

_NOT_COMPARED = frozenset(
    {"systemData", "AzureAsyncOperationUri", "provisioningState", "scoringUri", "swaggerUri", "transfer"}
)
_NOT_COMPARED |= {*provenance.TAGS, *file_list.TAGS}
"""Fields that Azure changes by itself, URIs, transfers of role assignments, and tags that each run writes."""


def build_plan(
    environment: Environment,
    specs: Sequence[EndpointSpec],
    steps: Sequence[Step],
    rescue: Sequence[Step],
    facts: Mapping[str, Facts],
    findings: Sequence[Finding] = (),
    notes: tuple[str, ...] = (),
    *,
    fallback: Sequence[Step] = (),
) -> Plan:
    """A plan of these steps, with the facts that it depends on. Raises Refused if there are findings."""
    if findings:
        raise Refused(findings)
    world = {
        where: redact_secrets(_compared(body), mark=lambda value: f" {_scrypt_digest(environment, value)}")
        for seen in facts.values()
        for where, body in seen.items()
        if where.kind not in VOLATILE_FACTS
    }
    own = by_endpoint(steps)
    bodies = [facts[spec.key].get(address("endpoint", spec.key)) or {} for spec in specs]
    uris = [str((body.get("properties") or {}).get("scoringUri") or "") for body in bodies]
    return Plan(
        environment.name,
        steps=tuple(steps),
        rescue=tuple(rescue),
        fallback=tuple(fallback),
        leases=tuple(lease for spec in specs if (lease := _lease(spec, facts[spec.key]))),
        endpoints=tuple(facts),
        facts=digest_world(world),
        world=world,
        notes=(
            *notes,
            *(note for spec in specs for note in refusals.unmanaged(spec, own.get(spec.key, ()), facts[spec.key])),
        ),
        scoring_uris=tuple(filter(None, uris)),
        running=cost.running(facts.items()),
        prices=cost.prices(facts),
        target=target_of(environment, facts),
        sealed=sealed_of(environment, specs),
    )


def target_of(environment: Environment, facts: Mapping[str, Facts] | None = None) -> dict[str, str]:
    """Where a plan applies: cloud, subscription, resource group, workspace, and the region if the facts contain it."""
    found = {name: getattr(environment, name) for name in ("cloud", "subscription_id", "resource_group", "workspace")}
    regions = [region for key, seen in (facts or {}).items() if (region := _region(key, seen))]
    return {**found, "region": regions[0] if regions else ""}


def _region(key: str, facts: Facts) -> str:
    candidates = [
        (facts.get(address("endpoint", key)) or {}).get("location"),
        (facts.get(address("limits", key)) or {}).get("region"),
    ]
    candidates += [
        row.get("region") for rest, row in facts_of(facts, "quota", key).items() if not rest.startswith("in/")
    ]
    return next((str(region).lower().replace(" ", "") for region in candidates if region), "")


def sealed_of(environment: Environment, specs: Sequence[EndpointSpec]) -> dict[str, str]:
    """What the files contain and a plan does not show -> its digest: `endpoint/mip tags.api_token` for hidden values,
    `probe/mip` for the files of its probe.
    """
    found: dict[str, Json] = {}
    for spec in specs:
        documents = {
            address("endpoint", spec.key): spec.endpoint,
            address("pipeline", spec.key): spec.pipeline.model_dump(warnings=False),
        }
        alone = len(spec.deployments) == 1  # its slot may have another name
        documents |= {
            address("deployment", spec.key, *([] if alone else [str(each["name"])])): each for each in spec.deployments
        }
        found |= {f"{where} {path}": value for where, each in documents.items() for path, value in secrets_in(each)}
        found |= {str(address("probe", spec.key)): spec.probe_files} if spec.probe_files else {}
    return {where: _scrypt_digest(environment, value) for where, value in found.items()}


def _scrypt_digest(environment: Environment, value: Json) -> str:
    return slow_digest(value if isinstance(value, str) else digest(value), environment.workspace_id)


def _lease(spec: EndpointSpec, facts: Facts) -> dict[str, Json] | None:
    body = facts.get(address("endpoint", spec.key)) or {}
    there = leases.of(body) if body else None
    if there:
        return {"endpoint": spec.key, "name": spec.name, "ends": leases.local_and_utc(there.ends)}
    if body or spec.pipeline.quota.capacity != "shared":
        return None
    return {"endpoint": spec.key, "name": spec.name, "hours": spec.pipeline.quota.duration / 3600}


def _compared(body: Json) -> Json:
    """A body without what changes by itself."""
    if not isinstance(body, Mapping):
        return body
    return {key: _compared(value) for key, value in body.items() if key not in _NOT_COMPARED}
