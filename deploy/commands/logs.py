"""The command logs: the last lines of a deployment's containers."""

from __future__ import annotations

from deploy.cloud import endpoints
from deploy.commands.project import Project, read_facts, validate
from deploy.domain import history
from deploy.domain.arm import Facts, facts_of
from deploy.domain.spec import EndpointSpec
from deploy.errors import CloudError, UsageError
from deploy.sanitize import sanitize
from deploy.steps import SHOWN


def logs(project: Project, name: str, key: str, *, slot: str | None = None, lines: int = 100) -> dict[str, str]:
    """Container -> its last lines, of the live deployment or of `slot`."""
    environment, specs = validate(project, name, [key])
    with project.connect(environment) as cloud:
        specs, facts = read_facts(cloud, specs, SHOWN)
        deployment = _deployment(specs[0], facts[key], slot)
        return {
            container: sanitize(endpoints.read_logs(cloud, specs[0].name, deployment, container, lines))
            for container in endpoints.CONTAINERS
        }


def _deployment(spec: EndpointSpec, facts: Facts, slot: str | None) -> str:
    """`slot`, else the deployment with the live release, else the one that was changed last."""
    found = facts_of(facts, "deployment", spec.key)
    changed = sorted(found, key=lambda name: str((found[name].get("systemData") or {}).get("lastModifiedAt")))
    if not found:
        raise CloudError(f"read the logs of {spec.key}", "it has no deployment", "Apply first", code="AML377")
    if slot is not None and slot not in found:
        what, cure = f"read the logs of {spec.key}/{slot}", f"It has {', '.join(sorted(found))}"
        raise UsageError(what, "no deployment has this name", cure, code="AML647")
    return slot or history.live_in(facts, spec.key) or changed[-1]
