"""The command import: write a template and an environment entry for an existing endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import yaml

from deploy.cloud import endpoints, role_state
from deploy.commands.project import Project, load_spec
from deploy.config import files_from_endpoint, reader, rendering, validation
from deploy.documents import yaml12
from deploy.documents.locations import TEMPLATES, Source, TemplateFiles
from deploy.domain import leases
from deploy.domain.owners import owner_tag
from deploy.errors import CloudError, SpecError, UsageError

_BOM = "\ufeff"


@dataclass(frozen=True)
class Import:
    """The files that were written, the values that were left out because they look secret (name -> its place), and
    notes about fields that the files cannot express.
    """

    key: str
    files: Sequence[str]
    hidden: Mapping[str, str]
    notes: Sequence[str] = ()


def import_endpoint(
    project: Project, name: str, endpoint: str, *, key: str | None = None, template: str | None = None
) -> Import:
    """Read an endpoint of the workspace; write a template folder and the environment's entry for it.

    Changes nothing in Azure and overwrites no file: raises UsageError when one exists. Writes nothing that `validate`
    would refuse.
    """
    source = reader.read_environment(project.root, name)
    environment = validation.validate_environment(source).environment
    key = key or endpoint.lower()
    template, what = template or key, f"import endpoint {endpoint}"
    with project.connect(environment) as cloud, cloud.arm.cached_reads():
        body = endpoints.list_endpoints(cloud).get(endpoint.lower())
        _require_no_entry(project, source, what, endpoint.lower(), owner_tag(body))
        _require_free_names(project, source, what, key, template)
        text = _extended(project, source, what, key, template)
        file = _valid_environment(source, text, what, key)
        deployments = endpoints.read_deployments(cloud, str(body["name"])) if body else {}
        if body is None or not deployments:
            raise _not_importable(what, exists=body is not None)
        bodies = [deployments[each] for each in sorted(deployments)]
        made = files_from_endpoint.files_of(body, bodies, role_state.roles_to_export(cloud, body))
    _require_valid(project, file, made, what, key)
    return Import(key, _write(project, source, made, template, text), made.hidden, made.notes)


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


def _extended(project: Project, source: Source, what: str, key: str, template: str) -> str:
    """The environment file with the entry. Raises UsageError if it cannot be extended safely."""
    raw = (project.root / source.file).read_bytes().decode("utf-8")
    changed = files_from_endpoint.with_entry(raw.removeprefix(_BOM).replace("\r\n", "\n"), source, key, template)
    if changed is None:
        cause = f"{source.file} has a form that does not allow a safe change"
        cure = "Write its `endpoints` as a block, one key per line without braces, and import again"
        raise UsageError(what, cause, cure, code="AML228")
    changed = (_BOM if raw.startswith(_BOM) else "") + changed
    return changed.replace("\n", "\r\n") if "\r\n" in raw else changed


def _require_valid(
    project: Project, file: validation.EnvironmentFile, made: files_from_endpoint.Imported, what: str, key: str
) -> None:
    """Raises CloudError if the files would not be valid, so that no file is written that `validate` refuses."""
    entry = file.entries[key]
    texts = {f"{entry.template}/{name}": text for name, text in made.files.items()}
    stems = {name.rpartition("/")[2].partition(".")[0]: name for name in sorted(texts)}
    endpoint, pipeline = stems.pop("endpoint"), stems.pop("pipeline", None)
    folder = (project.root / TEMPLATES / entry.template).resolve()
    files = TemplateFiles(entry.template, folder, endpoint, tuple(stems.values()), pipeline, texts.get)
    placeholders = yaml12.parse(yaml.safe_dump({**entry.values.value, **dict.fromkeys(made.hidden, "x")}), "values")
    try:
        rendered = rendering.render_endpoint(files, file.environment, key, placeholders.root)
        validation.validate_endpoint(rendered, file.environment, key, project.root)
    except SpecError as error:
        problems = "; ".join(f"{p.place.file.rpartition('/')[2]}: {p.cause.rstrip('.')}" for p in error.problems)
        cure = "Change these fields in Azure first, or write the template yourself and adopt the endpoint"
        raise CloudError(what, f"its files would not be valid: {problems}", cure, code="AML233") from None


def _valid_environment(source: Source, changed: str, what: str, key: str) -> validation.EnvironmentFile:
    """The environment with the entry. Raises UsageError if its key is invalid."""
    try:
        text = changed.removeprefix(_BOM).replace("\r\n", "\n")
        return validation.validate_environment(yaml12.parse(text, source.file))
    except SpecError as error:
        cause = f"{key!r} is not a valid key: {error.problems[0].cause.rstrip('.')}"
        raise UsageError(what, cause, "Choose another key with --key", code="AML227") from None


def _write(project: Project, source: Source, made: files_from_endpoint.Imported, template: str, text: str) -> list[str]:
    """Write the template, then the environment file."""
    folder = project.root / TEMPLATES / template
    folder.mkdir(parents=True)
    for name, content in made.files.items():
        with (folder / name).open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(content)
    (project.root / source.file).write_bytes(text.encode())
    return [*(f"{TEMPLATES}/{template}/{name}" for name in made.files), source.file]
