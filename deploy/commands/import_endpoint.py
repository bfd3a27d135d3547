"""The command import: write a template and an environment entry for an existing endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from deploy.cloud import endpoints, role_state
from deploy.commands.project import Project, load_spec
from deploy.config import files_from_endpoint, reader, validation
from deploy.documents.locations import TEMPLATES, Source
from deploy.domain import leases
from deploy.domain.owners import owner_tag
from deploy.errors import CloudError, SpecError, UsageError

_BOM = "\ufeff"


@dataclass(frozen=True)
class Import:
    """The files that were written, and the values that were left out because they look secret (name -> its place)."""

    key: str
    files: Sequence[str]
    hidden: Mapping[str, str]


def import_endpoint(
    project: Project, name: str, endpoint: str, *, key: str | None = None, template: str | None = None
) -> Import:
    """Read an endpoint of the workspace; write a template folder and the environment's entry for it.

    Changes nothing in Azure and overwrites no file: raises UsageError when one exists.
    """
    source = reader.read_environment(project.root, name)
    environment = validation.validate_environment(source).environment
    key = key or endpoint.lower()
    template, what = template or key, f"import endpoint {endpoint}"
    with project.connect(environment) as cloud, cloud.arm.cached_reads():
        body = endpoints.list_endpoints(cloud).get(endpoint.lower())
        _require_no_entry(project, source, what, endpoint.lower(), owner_tag(body))
        _require_free_names(project, source, what, key, template)
        deployments = endpoints.read_deployments(cloud, str(body["name"])) if body else {}
        if body is None or not deployments:
            raise _not_importable(what, exists=body is not None)
        bodies = [deployments[each] for each in sorted(deployments)]
        made = files_from_endpoint.files_of(body, bodies, role_state.roles_to_export(cloud, body))
    return Import(key, _write(project, source, made, key, template), made.hidden)


def _not_importable(what: str, *, exists: bool) -> CloudError:
    cause, cure = "the workspace has no endpoint with this name", "Use the endpoint's name in Azure"
    if exists:
        cause = "it has no deployment, and a template needs at least one"
        cure = "Deploy to it first, or write the template yourself and adopt the endpoint"
    return CloudError(what, cause, cure, code="AML226")


def _require_no_entry(project: Project, source: Source, what: str, endpoint: str, owner: str) -> None:
    """Raises UsageError when an entry already describes the endpoint, under its own name or as a successor.

    A name in the form of a successor's is not enough: it also needs the entry's owner tag. Entries with problems are
    ignored.
    """
    file = validation.survey_environment(source)
    for key in file.entries:
        with suppress(SpecError):
            spec = load_spec(project, file, key)
            base = spec.first_name.lower()
            if endpoint == base or (owner == spec.owner and leases.is_in_chain(base, endpoint)):
                cause = (
                    f"entry {key} of {source.file} already describes it, with templates/{file.entries[key].template}"
                )
                cure = f"Change that entry, and run: amldeploy plan -e {file.environment.name} {key}"
                raise UsageError(what, cause, cure, code="AML229")


def _require_free_names(project: Project, source: Source, what: str, key: str, template: str) -> None:
    """Raises UsageError when the template's name is invalid, or when the template or the key exists."""
    folder = f"{TEMPLATES}/{template}"
    if not reader.is_name(template):
        cure = "Choose another name with --template: letters, digits, dots, dashes and underscores"
        raise UsageError(what, f"{template!r} is not a valid template name", cure, code="AML227")
    if (project.root / folder).exists():
        raise UsageError(what, f"{folder} exists already", "Choose another name with --template", code="AML227")
    if key in (source.value.get("endpoints") or {}):
        cause = f"{source.file} already has an endpoint {key}"
        raise UsageError(what, cause, "Choose another key with --key", code="AML227")


def _write(project: Project, source: Source, made: files_from_endpoint.Imported, key: str, template: str) -> list[str]:
    """Write the template, then the entry. Raises UsageError when the environment file cannot be extended safely."""
    folder = project.root / TEMPLATES / template
    folder.mkdir(parents=True)
    for name, text in made.files.items():
        with (folder / name).open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    path = project.root / source.file
    raw = path.read_bytes().decode("utf-8")
    changed = files_from_endpoint.with_entry(raw.removeprefix(_BOM).replace("\r\n", "\n"), source, key, template)
    if changed is None:
        cause = f"its form does not allow a safe change; {TEMPLATES}/{template} is written"
        cure = f"Add this entry to its endpoints yourself:\n{files_from_endpoint.entry(key, template).rstrip()}\n"
        raise UsageError(f"extend {source.file}", cause, cure, code="AML228")
    changed = (_BOM if raw.startswith(_BOM) else "") + changed
    path.write_bytes((changed.replace("\n", "\r\n") if "\r\n" in raw else changed).encode())
    return [*(f"{TEMPLATES}/{template}/{name}" for name in made.files), source.file]
