"""Verbs for what is there already: import writes the files that say it, adopt puts our tags on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from deploy.cloud import endpoints, role_assignments, role_state
from deploy.commands.project import Approve, Done, Project, carry_out, spec_of, validate
from deploy.config import export, reader, validation
from deploy.documents.places import TEMPLATES, Source
from deploy.domain import leases
from deploy.domain.owners import owner_tag
from deploy.errors import CloudError, SpecError, UsageError
from deploy.execution.executor import Emit
from deploy.leasing import lineage
from deploy.planning import adoption, observe

_BOM = "\ufeff"


@dataclass(frozen=True)
class Import:
    """What was written, and for each value that was not, where it was (name of the value -> place)."""

    key: str
    files: Sequence[str]
    hidden: Mapping[str, str]


def import_endpoint(
    project: Project, name: str, endpoint: str, *, key: str | None = None, template: str | None = None
) -> Import:
    """Read a live endpoint of the workspace; write a template folder and the environment's entry for it.

    Nothing in Azure is changed, and no file is written over: raises UsageError where one is in the way.
    """
    source = reader.read_environment(project.root, name)
    environment = validation.validate_environment(source).environment
    key = key or endpoint.lower()
    template, what = template or key, f"import endpoint {endpoint}"
    with project.connect(environment) as cloud, cloud.arm.cached_reads():
        body = endpoints.list_endpoints(cloud).get(endpoint.lower())
        _must_be_nobodys(project, source, what, endpoint.lower(), owner_tag(body))
        _must_be_free(project, source, what, key, template)
        behind = endpoints.read_deployments(cloud, str(body["name"])) if body else {}
        if body is None or not behind:
            raise _nothing(what, there=body is not None)
        made = export.files_of(body, [behind[one] for one in sorted(behind)], role_state.roles_to_export(cloud, body))
    return Import(key, _write(project, source, made, key, template), made.hidden)


def adopt(
    project: Project,
    name: str,
    only: Sequence[str] = (),
    *,
    owners: Collection[str] = (),
    approve: Approve,
    emit: Emit,
    jobs: int = 8,
) -> Done:
    """Put our tags, and nothing else, on endpoints that have none, or that one of these owners manages; asked about,
    then done.
    """
    environment, specs = validate(project, name, only)
    with project.alone(environment, "adopt") as cloud:
        with cloud.arm.cached_reads():
            bodies = endpoints.list_endpoints(cloud)
            specs = [each for spec in specs for each in lineage.adoptable(spec, bodies, owners)]
            seen, rows = observe.observe_names(cloud, specs), role_assignments.assignments(cloud)
        plan = adoption.plan_adoption(environment, specs, seen, rows, owners)
        approve(plan, environment.cloud != "local")
        return carry_out(project, cloud, plan, "adopt", emit, jobs)


def _nothing(what: str, *, there: bool) -> CloudError:
    cause, cure = "the workspace has none of this name", "Check the name, which is the one in Azure"
    if there:
        cause = "it has no deployment, and a template has at least one: there is nothing to write its file from"
        cure = "Deploy to it first, or write the template yourself and adopt the endpoint"
    return CloudError(what, cause, cure, code="AML226")


def _must_be_nobodys(project: Project, source: Source, what: str, endpoint: str, owner: str) -> None:
    """Refuses an endpoint that an entry of the environment says already, under its own name or a successor's. What is
    wrong in others is not asked.

    A name that only looks like a successor's is anybody's: five letters are soon found.
    """
    file = validation.survey_environment(source)
    for key in file.entries:
        with suppress(SpecError):
            spec = spec_of(project, file, key)
            base = spec.base.lower()
            if endpoint == base or (owner == spec.owner and leases.is_of_line(base, endpoint)):
                cause = (
                    f"{source.file} has its files already: the entry {key}, of templates/{file.entries[key].template}"
                )
                cure = f"Change those, and look at `amldeploy plan -e {file.environment.name} {key}`"
                raise UsageError(what, cause, cure, code="AML229")


def _must_be_free(project: Project, source: Source, what: str, key: str, template: str) -> None:
    """Refuses a name that is taken or cannot be one."""
    folder = f"{TEMPLATES}/{template}"
    if not reader.is_name(template):
        cure = "Name another with --template: letters, digits, dots, dashes and underscores"
        raise UsageError(what, f"{template!r} cannot be the name of a template", cure, code="AML227")
    if (project.root / folder).exists():
        raise UsageError(what, f"{folder} exists already", "Name another folder with --template", code="AML227")
    if key in (source.value.get("endpoints") or {}):
        cause = f"{source.file} has an endpoint {key} already"
        raise UsageError(what, cause, "Choose another key with --key", code="AML227")


def _write(project: Project, source: Source, made: export.Imported, key: str, template: str) -> list[str]:
    """The template, then the entry; an environment file that cannot safely be extended is left as it is."""
    folder = project.root / TEMPLATES / template
    folder.mkdir(parents=True)
    for name, text in made.files.items():
        with (folder / name).open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    path = project.root / source.file
    raw = path.read_bytes().decode("utf-8")
    changed = export.with_entry(raw.removeprefix(_BOM).replace("\r\n", "\n"), source, key, template)
    if changed is None:
        cause = f"it is written in a way that cannot be extended safely; {TEMPLATES}/{template} is written"
        cure = f"Put this below its endpoints yourself:\n{export.entry(key, template).rstrip()}\n"
        raise UsageError(f"extend {source.file}", cause, cure, code="AML228")
    changed = (_BOM if raw.startswith(_BOM) else "") + changed
    path.write_bytes((changed.replace("\n", "\r\n") if "\r\n" in raw else changed).encode())
    return [*(f"{TEMPLATES}/{template}/{name}" for name in made.files), source.file]
