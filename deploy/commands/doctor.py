"""The doctor: looks at everything that would stop an apply, and says so. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from deploy import reporter
from deploy.cloud import whoami
from deploy.cloud.connect import Cloud
from deploy.commands.project import Project, look_with_siblings, validate
from deploy.domain.spec import EndpointSpec, Environment
from deploy.errors import CloudError, Finding
from deploy.planning import planner
from deploy.preflight.doctor import Diagnosis, Line, of_plan
from deploy.preflight.verdict import Verdict
from deploy.steps import quota

UNCHECKED = (
    "whether the key vault and the container registry can be reached, and their network rules",
    "whether the region has machines to give: quota is a limit, not a reservation",
    "how full the shared quota pool is",
    "endpoints and deployments of other workspaces of the subscription, which count towards its limits",
    "deny assignments, conditions on roles, policies, and the right to attach a user-assigned identity",
    "whether a model's files, a scoring script or an image work",
)


def doctor(project: Project, name: str, only: Sequence[str] = (), regions: Sequence[str] = ()) -> Diagnosis:
    """Credential, workspace, and every check of the plan. Raises SpecError for wrong files and NotAuthenticated."""
    environment, specs = validate(project, name, only)
    with project.connect(environment) as cloud:
        who = whoami.signed_in(cloud)
        lines = [Line("credential", Verdict.YES, _who(who), who.credential)]
        return Diagnosis(name, (*lines, *_look(cloud, environment, specs, regions)), UNCHECKED)


def _look(cloud: Cloud, environment: Environment, specs: Sequence[EndpointSpec], regions: Sequence[str]) -> list[Line]:
    where = f"workspace {environment.workspace}"
    try:
        home = str(cloud.workspace()["location"])
        specs, facts, siblings = look_with_siblings(cloud, environment, specs)
        others = quota.elsewhere(cloud, facts, regions)
    except CloudError as error:
        finding = Finding(where, error.code, error.cause, error.cure)
        return [Line(where, Verdict.NO, f"cannot {error.what}: {error.cause}", "", (finding,))]
    everywhere = {key: {**seen, **others[key]} for key, seen in facts.items()}
    draft = planner.draft_release(environment, specs, everywhere, siblings=siblings)
    lines = of_plan(draft.steps, draft.findings)
    quiet = [spec.key for spec in specs if not any(step.endpoint == spec.key for step in draft.steps)]
    held = {str(each["endpoint"]): reporter.held_back(each).partition(": ")[2] for each in draft.held}
    lines += [Line(f"endpoint/{key}", Verdict.YES, held.get(key, "nothing to do")) for key in quiet]
    return [Line(where, Verdict.YES, f"found, in {home}", "workspace"), *lines]


def _who(who: whoami.Caller) -> str:
    known = (("client id", who.client), ("object id", who.object_id), ("tenant", who.tenant))
    told = [f"{what} {value}" for what, value in known if value]
    return f"{who.credential}: {', '.join(told) or 'its token does not say for whom'}"
