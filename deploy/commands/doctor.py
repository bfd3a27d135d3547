"""The command doctor: every check that could refuse an apply. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from deploy import reporter
from deploy.cloud import whoami
from deploy.cloud.connect import Cloud
from deploy.commands import lock
from deploy.commands.orphans import read_orphans
from deploy.commands.project import Project, read_facts_with_siblings, validate
from deploy.domain.spec import EndpointSpec, Environment
from deploy.errors import CloudError, Finding
from deploy.planning import planner
from deploy.planning.orphans import Orphans
from deploy.preflight.check_result import Verdict
from deploy.preflight.doctor import Diagnosis, Line, of_plan
from deploy.steps import quota_check

NOT_CHECKED = (
    "whether the key vault and the container registry can be reached, and their network rules",
    "whether the region has free machines: quota is a limit, not a reservation",
    "how full the shared quota pool is",
    "endpoints and deployments of other workspaces of the subscription, which count towards its limits",
    "deny assignments, conditions on role assignments, and the right to attach a user-assigned identity",
    "policies that Azure Machine Learning evaluates itself, inside an initiative",
    "environments of a registry",
    "whether a model's files, a scoring script or an image work",
)


def doctor(project: Project, name: str, only: Sequence[str] = (), regions: Sequence[str] = ()) -> Diagnosis:
    """Credential, workspace, and every check of the plan. Raises SpecError for invalid files and NotAuthenticated."""
    environment, specs = validate(project, name, only)
    with project.connect(environment) as cloud:
        caller = whoami.signed_in(cloud)
        lines = [Line("credential", Verdict.YES, _identity(caller), caller.credential)]
        more, orphans = _check(cloud, environment, specs, only, regions)
        return Diagnosis(name, (*lines, *more), NOT_CHECKED, orphans.as_json(), tuple(orphans.notes()))


def _check(
    cloud: Cloud, environment: Environment, specs: Sequence[EndpointSpec], only: Sequence[str], regions: Sequence[str]
) -> tuple[list[Line], Orphans]:
    what = f"workspace {environment.workspace}"
    try:
        region = str(cloud.workspace()["location"])
        with cloud.arm.cached_reads():
            specs, facts, siblings = read_facts_with_siblings(cloud, environment, specs)
            orphans = read_orphans(cloud, environment, specs, only)
        others = quota_check.elsewhere(cloud, facts, regions)
    except CloudError as error:
        finding = Finding(what, error.code, error.cause, error.cure)
        return [Line(what, Verdict.NO, f"cannot {error.what}: {error.cause}", "", (finding,))], Orphans()
    everywhere = {key: {**found, **others[key]} for key, found in facts.items()}
    draft = planner.draft_release(environment, specs, everywhere, siblings=siblings)
    lines = of_plan(draft.steps, draft.findings)
    unchanged = [spec.key for spec in specs if not any(step.endpoint == spec.key for step in draft.steps)]
    held = {str(each["endpoint"]): reporter.held_back_text(each).partition(": ")[2] for each in draft.held}
    lines += [Line(f"endpoint/{key}", Verdict.YES, held.get(key, "nothing to do")) for key in unchanged]
    return [Line(what, Verdict.YES, f"found, in {region}", "workspace"), *lines, lock.check(cloud)], orphans


def _identity(caller: whoami.Caller) -> str:
    known = (("client id", caller.client), ("object id", caller.object_id), ("tenant", caller.tenant))
    parts = [f"{what} {value}" for what, value in known if value]
    return f"{caller.credential}: {', '.join(parts) or 'its token names no identity'}"
