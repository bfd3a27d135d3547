"""The project folder as input of every command: its files as endpoint specs, and the connection to Azure."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from deploy import redact
from deploy.clock import Clock, SystemClock
from deploy.cloud import endpoints
from deploy.cloud.connect import Cloud, OnNote, OnSecret, connect
from deploy.config import overlay, reader, rendering, selection, validation
from deploy.config.pip_packages import pip_packages
from deploy.domain import leases
from deploy.domain.arm import Facts, Json
from deploy.domain.plan import Plan
from deploy.domain.spec import EndpointSpec, Environment
from deploy.errors import Finding, Place, Problem, Refused, SpecError
from deploy.leasing import lineage
from deploy.planning import duration, observe
from deploy.steps import STEP_TYPES, StepType


@dataclass(frozen=True)
class Project:
    """A folder with `environments/` and `templates/`, and a clock. `on_secret` gets each secret that is read,
    `on_note` sentences for the user, such as that an emulator was started.
    """

    root: Path = Path()
    clock: Clock = field(default_factory=SystemClock)
    on_secret: OnSecret = lambda _: None
    on_note: OnNote = lambda _: None

    @property
    def state(self) -> Path:
        """The folder of the emulator's world, reports and exports. Git ignores it."""
        folder = self.root / ".amldeploy"
        folder.mkdir(mode=0o700, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
        return folder

    def connect(self, environment: Environment) -> AbstractContextManager[Cloud]:
        """Connect to Azure, or to the emulator for `cloud: local`."""
        return connect(environment, self.root, self.state, self.clock, self.on_secret, self.on_note)


def validate(project: Project, name: str, only: Sequence[str] = ()) -> tuple[Environment, list[EndpointSpec]]:
    """The environment and its endpoints: read, rendered and validated. Raises SpecError with every problem."""
    file = validation.survey_environment(reader.read_environment(project.root, name))
    specs: list[EndpointSpec] = []
    problems: list[Problem] = list(file.problems)
    for key in selection.selected(file, only) if not problems else file.entries:
        try:
            specs.append(load_spec(project, file, key))
        except SpecError as error:
            problems += error.problems
    problems += selection.shared_names(file, specs)
    if problems:
        raise SpecError(problems)
    chosen = {spec.key: spec for spec in specs}
    every = {**chosen, **valid_specs(project, file, chosen)}
    # Guards count the instances of all entries, and a role that two entries assign stays while one of them is left.
    specs = [replace(spec, siblings=tuple(every[k] for k in sorted(every) if k != spec.key)) for spec in specs]
    every |= {spec.key: spec for spec in specs}
    entries = [every[key] for key in file.entries if key in every]
    if problems := selection.shared_aliases(file, entries, set(chosen), project.root):
        raise SpecError(problems)
    return file.environment, specs


def valid_specs(
    project: Project, file: validation.EnvironmentFile, except_keys: Collection[str] = ()
) -> dict[str, EndpointSpec]:
    """Key -> spec of every entry that is valid, except `except_keys`. Problems of other entries are ignored."""
    found: dict[str, EndpointSpec] = {}
    for key in file.entries.keys() - set(except_keys):
        with suppress(SpecError):
            found[key] = load_spec(project, file, key)
    return found


def load_spec(project: Project, file: validation.EnvironmentFile, key: str) -> EndpointSpec:
    """One entry of an environment, rendered and validated. Raises SpecError."""
    entry = file.entries[key]
    files = reader.read_template(project.root, entry.template, entry.place)
    try:
        rendered = rendering.render_endpoint(files, file.environment, key, entry.values, entry.own)
        rendered = overlay.with_pipeline(rendered, entry.pipeline, entry.place.file)
        spec = validation.validate_endpoint(rendered, file.environment, key, project.root)
    except SpecError as error:
        raise SpecError(_redacted(error.problems, entry.values.value)) from None
    return replace(spec, folder=Path(os.path.relpath(spec.folder, project.root)).as_posix())


def _redacted(problems: Sequence[Problem], values: Json) -> list[Problem]:
    """The problems without the values that have secret-like names, also where a message quotes them."""
    secrets = redact.secret_values(values)
    secrets |= {repr(secret)[1:-1] for secret in secrets}
    return [
        replace(p, cause=redact.redact_values(p.cause, secrets), cure=redact.redact_values(p.cure, secrets))
        for p in problems
    ]


def read_facts(
    cloud: Cloud, specs: Sequence[EndpointSpec], step_types: Sequence[StepType] = STEP_TYPES
) -> tuple[list[EndpointSpec], dict[str, Facts]]:
    """The specs under their current names, and key -> what exists in Azure."""
    with cloud.arm.cached_reads():
        current = lineage.with_current_names(specs, endpoints.list_endpoints(cloud))
        return current, observe.observe(cloud, current, step_types)


def read_facts_with_siblings(
    cloud: Cloud, environment: Environment, specs: Sequence[EndpointSpec]
) -> tuple[list[EndpointSpec], dict[str, Facts], dict[str, Facts]]:
    """What `read_facts` returns for a release, and the deployments of the other entries when a guard counts them."""
    with cloud.arm.cached_reads():
        current, facts = read_facts(cloud, specs)
        return current, facts, observe.observe_siblings(cloud, environment, current)


def check_emulator(cloud: Cloud, plan: Plan) -> Plan:
    """The plan, with a note for each deployment that the emulator does not answer for; the same plan in Azure.

    Raises Refused when the emulator cannot run the scoring code of a deployment in it.
    """
    steps = [step for step in plan.steps if step.kind == "deployment" and step.body.get("document")]
    own = [step for step in steps if step.body["document"].get("code_configuration")]
    packages = [
        line for step in own for line in pip_packages(step.body["document"], cloud.root / str(step.body["folder"]))
    ]
    if own and (reason := cloud.why_no_scoring_script(packages)):
        cause, _, cure = reason.partition(". ")
        raise Refused([Finding(str(step.address), "AML254", cause, cure.rstrip(".")) for step in own[:1]])
    rest = {str(step.address): step.body["document"].get("model") or "" for step in steps if step not in own}
    models = {where: model["path"] if isinstance(model, Mapping) else model for where, model in rest.items()}
    reasons = {where: cloud.why_unanswered(model) for where, model in models.items()}
    return replace(plan, notes=(*plan.notes, *(f"AML255 {where}: {why}" for where, why in reasons.items() if why)))


def scoring_packages(project: Project) -> list[str]:
    """The pip packages of all deployments with a scoring script in environments of the emulator, without duplicates.

    Environments and entries with problems are ignored.
    """
    found: dict[str, None] = {}
    for name in reader.environment_files(project.root):
        with suppress(SpecError):
            file = validation.survey_environment(reader.read_environment(project.root, name))
            specs = valid_specs(project, file).values() if file.environment.cloud == "local" else ()
            for spec in specs:
                own = [each for each in spec.deployments if each.get("code_configuration")]
                found |= dict.fromkeys(line for each in own for line in pip_packages(each, project.root / spec.folder))
    return sorted(found)


def with_times(cloud: Cloud, plan: Plan) -> Plan:
    """The plan with its usual duration, and the expected end of each lease that it begins, by Azure's clock."""
    now = cloud.now()
    usual = duration.of_endpoints(plan.steps, {**duration.AZURE, **cloud.durations})
    return replace(plan, leases=tuple(leases.expected(entry, now) for entry in plan.leases), duration=usual)


def export_folder(project: Project, cloud: Cloud) -> Path:
    """The folder to which a run exports what it deletes."""
    return project.state / "reaped" / f"{cloud.now():%Y%m%dT%H%M%SZ}"


def needs_approval(project: Project, name: str) -> bool:
    """Whether commands ask before they change this environment: all do, except on the emulator."""
    return validation.survey_environment(reader.read_environment(project.root, name)).environment.cloud != "local"


def entry_places(project: Project, name: str) -> dict[str, Place]:
    """Key -> the place of the entry in the environment file."""
    source = reader.read_environment(project.root, name)
    found = source.find(("endpoints",))
    return {str(key): source.key(("endpoints", key)) for key in (found.children if found else ())}
