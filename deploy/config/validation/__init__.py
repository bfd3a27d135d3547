"""Validates documents and converts them to specs, or raises SpecError with all problems.

Includes what Azure refuses but azure-ai-ml's loader accepts. Reads local files to check and digest them; works offline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from deploy.config import placeholders
from deploy.config.placeholders import unreplaced
from deploy.config.validation import az_ml_files, file_kind, rules, scoring_server
from deploy.config.validation.schema import Checked, check, problem
from deploy.documents.endpoint_and_deployment import DeploymentDocument, EndpointDocument
from deploy.documents.environment import EnvironmentDocument, Notice
from deploy.documents.local_paths import local_paths
from deploy.documents.locations import FieldPath, Node, Rendered, Source, as_text, at
from deploy.documents.pipeline import Pipeline
from deploy.domain.arm import Json
from deploy.domain.digests import Entries, TooMuch, digest, digest_entries, digest_tree, read_tree
from deploy.domain.file_list import listed
from deploy.domain.ignore_file import Unusable
from deploy.domain.owners import Owner
from deploy.domain.spec import EndpointSpec, Environment, Guards, ServiceLimits
from deploy.errors import Place, Problem, SpecError
from deploy.probes.samples import files_of

_PLACEHOLDERS = {
    "cloud": "local",
    "subscription_id": "00000000-0000-0000-0000-000000000000",
    "resource_group": "none",
    "workspace": "none",
}
_NOT_THE_RELEASE = frozenset(
    {"$schema", "name", "endpoint_name", "description", "tags", "instance_count", "scale_settings"}
)
_TEXTS: tuple[FieldPath, ...] = (
    ("tags",),
    ("properties",),
    ("environment_variables",),
    *((part, name) for part in ("model", "environment") for name in ("tags", "version")),
    ("model", "properties"),
)
_CONTENT: tuple[FieldPath, ...] = (("environment", "conda_file"), ("model", "flavors"))
"""Fields whose content is no part of the schema."""


@dataclass(frozen=True)
class Entry:
    """One endpoint of an environment: its template, its location, and its values merged over the defaults.

    `pipeline`: what is merged over the template's pipeline.yml; None if the entry has none.
    """

    template: str
    place: Place
    values: Node
    own: Mapping[str, Place]
    pipeline: Node | None = None


@dataclass(frozen=True)
class EnvironmentFile:
    """An environment, and the template and values of each of its endpoints.

    `problems` is only set by `survey_environment`; invalid parts are then left out, or replaced by a placeholder.
    """

    environment: Environment
    entries: Mapping[str, Entry]
    problems: tuple[Problem, ...] = ()
    notices: tuple[Notice, ...] = ()


def validate_environment(source: Source) -> EnvironmentFile:
    """The environment of a file. Raises SpecError with all problems.

    A value of an endpoint replaces the environment's value with the same key as a whole; mappings are not merged.
    """
    found = survey_environment(source)
    if found.problems:
        raise SpecError(found.problems)
    return found


def survey_environment(source: Source) -> EnvironmentFile:
    """The environment of a file, with its problems: its valid part, so that its templates can be checked."""
    checked = check(EnvironmentDocument, source)
    written = checked.model or _valid_part(checked)
    if not isinstance(written, EnvironmentDocument):
        raise SpecError(checked.problems)
    guards = Guards(**written.guards.model_dump())
    fields = {name: getattr(written, name) for name in ("cloud", "subscription_id", "resource_group", "workspace")}
    environment = Environment(
        Path(source.file).stem,
        **fields,
        endpoints=tuple(written.endpoints),
        guards=guards,
        service_limits=ServiceLimits(**written.service_limits.model_dump()),
        lock=written.lock,
        project=written.project or "",
        protected=tuple(key for key, entry in written.endpoints.items() if entry.protected),
    )
    entries = {key: _entry(source, key) for key in written.endpoints}
    unset = [*unreplaced(source, placeholders.ENVIRONMENT)]
    places = {each.place for each in unset}
    problems = (*unset, *(each for each in checked.problems if each.place not in places), *rules.environment(checked))
    return EnvironmentFile(environment, entries, problems, written.notices)


def _valid_part(checked: Checked) -> EnvironmentDocument | None:
    """The valid part of a file, with placeholders for the required keys. It is never deployed."""
    rest = {**_PLACEHOLDERS, **checked.rest}
    entries = rest.get("endpoints") or {}
    rest["endpoints"] = {
        key: entry for key, entry in entries.items() if isinstance(entry, dict) and "template" in entry
    }
    try:
        return EnvironmentDocument.model_validate(rest)
    except ValidationError:
        return None


def _entry(source: Source, key: str) -> Entry:
    field_path: FieldPath = ("endpoints", key)
    defaults, own = source.find(("values",)), source.find((*field_path, "values"))
    nodes = [node for node in (defaults, own) if node]
    children = {name: child for node in nodes for name, child in node.children.items()}
    value = {str(name): child.value for name, child in children.items()}
    values = Node(value, (own or defaults or source.root).place, children)
    written = {str(name): source.key((*field_path, "values", name)) for name in (own.children if own else ())}
    over = source.find((*field_path, "pipeline"))
    pipeline = over if over and isinstance(over.value, dict) else None
    place = source.place((*field_path, "template"))
    return Entry(source.value["endpoints"][key]["template"], place, values, written, pipeline)


def validate_endpoint(
    rendered: Rendered, environment: Environment, key: str, root: Path, *, restored: bool = False
) -> EndpointSpec:
    """The spec of an endpoint. Raises SpecError with all problems; locations are relative to `root`.

    `restored`: the documents were exported from Azure, so the name of a successor and amldeploy's tags are allowed.
    """
    written = rendered
    rendered, warnings = _as_read_by_azure(written)
    endpoint = _checked(EndpointDocument, rendered.endpoint, file_kind.ENDPOINT)
    deployments = [_checked(DeploymentDocument, each, file_kind.DEPLOYMENT) for each in rendered.deployments]
    pipeline = check(Pipeline, rendered.pipeline or Source("", Node({}, Place(""))))
    problems = [found for each in (endpoint, *deployments, pipeline) for found in each.problems]
    problems += rules.endpoint(endpoint, [each.valid.get("name") for each in deployments])
    problems += [found for each in deployments for found in rules.deployment(each, endpoint, rendered.folder, root)]
    problems += rules.names(deployments)
    problems += [found for each in (endpoint, *deployments) for found in rules.spellings(each)]
    problems += rules.pipeline(pipeline, endpoint, rendered.folder)
    if not restored:
        problems += rules.renewable(pipeline, endpoint)
        problems += [found for each in (endpoint, *deployments) for found in rules.tags(each)]
        wrong = {found.place.file for found in problems}
        whole = [each for each in deployments if each.source.root.place.file not in wrong]
        problems += [found for each in whole for found in scoring_server.without_server(each)]
        problems = _with_placeholders(problems, written)
    named, more = _cases(rendered, pipeline, root)
    problems += more
    if problems or not isinstance(pipeline.model, Pipeline):
        raise SpecError(problems)
    spec = _spec(rendered, environment, key, root, pipeline.model, named)
    return replace(spec, cases=tuple(named), warnings=tuple(warnings))


def _cases(rendered: Rendered, pipeline: Checked, root: Path) -> tuple[list[Json], list[Problem]]:
    """The cases of the probe, and the problems of their files; only for a valid probe that has some."""
    model = pipeline.model if isinstance(pipeline.model, Pipeline) else None
    if model is None or model.probe is None or not model.probe.cases or rendered.pipeline is None:
        return [], []
    from deploy.config.validation import cases  # only for a probe with cases: it imports what reads images

    return cases.read(rendered.pipeline, model.probe.model_dump(mode="json"), rendered.folder, root)


def _as_read_by_azure(rendered: Rendered) -> tuple[Rendered, list[Problem]]:
    """The documents as azure-ai-ml reads them, and warnings about keys that they cannot set."""
    endpoint, warnings = az_ml_files.without_read_only(rendered.endpoint, az_ml_files.ENDPOINT_READ_ONLY)
    endpoint, deployments = az_ml_files.as_read_by_azure(EndpointDocument, endpoint), []
    for each in rendered.deployments:
        document, more = az_ml_files.without_read_only(each, az_ml_files.DEPLOYMENT_READ_ONLY)
        warnings += more
        document = az_ml_files.with_names(document, endpoint)
        deployments.append(az_ml_files.as_read_by_azure(DeploymentDocument, document))
    warnings += az_ml_files.unused_name(rendered.endpoint, rendered.deployments)
    return replace(rendered, endpoint=endpoint, deployments=tuple(deployments)), warnings


def _with_placeholders(problems: list[Problem], rendered: Rendered) -> list[Problem]:
    """The problems and those of placeholders, which replace what else is wrong with the same text."""
    documents = (rendered.endpoint, *rendered.deployments)
    found = [each for source in documents for each in unreplaced(source, placeholders.DOCUMENT, rendered.folder)]
    found += unreplaced(rendered.pipeline, placeholders.PIPELINE) if rendered.pipeline else ()
    places = {each.place for each in found}
    return [*found, *(each for each in problems if each.place not in places)]


def _spec(
    rendered: Rendered, environment: Environment, key: str, root: Path, pipeline: Pipeline, cases: Sequence[Json]
) -> EndpointSpec:
    endpoint = _document(rendered.endpoint)
    traffic = endpoint.pop("traffic", None)
    deployments = tuple(_document(each) for each in rendered.deployments)
    releases, files = {}, {}
    for document, source in zip(deployments, rendered.deployments, strict=True):
        trees = _trees(document, source, rendered.folder, root)
        releases[document["name"]], files[document["name"]] = _release(document, trees), listed(trees)
    owner = str(Owner(environment.project, environment.name, key))
    spec = EndpointSpec(
        key, owner, str(rendered.folder), endpoint, deployments, releases, pipeline, traffic, files=files
    )
    limits, lock = environment.service_limits, environment.lock
    return replace(spec, probe_files=_probe_files(rendered, pipeline, cases), service_limits=limits, lock=lock)


def _probe_files(rendered: Rendered, pipeline: Pipeline, cases: Sequence[Json]) -> str:
    """A digest of the files that the probe and its cases read; empty if they read none."""
    probe, source = pipeline.probe, rendered.pipeline
    names = [name for name in (probe.image, probe.body, probe.answer) if isinstance(name, str)] if probe else []
    files = {name: rendered.folder / name for name in names} | files_of(cases, rendered.folder)
    try:
        return digest({name: digest_tree(path) for name, path in files.items()}) if files else ""
    except OSError as error:
        cause = f"A file of the probe cannot be read: {error.strerror}."
        where = source or rendered.endpoint
        raise SpecError([problem(where, ("probe",), "AML128", cause, "Check the path and its permissions.")]) from None


def _document(source: Source) -> dict[str, Json]:
    """The document to send to Azure: values of text fields as text, as they were written."""
    document: dict[str, Json] = _copy(source.value)
    for field_path in _TEXTS:
        around, node = at(document, field_path[:-1]), source.find(field_path)
        if isinstance(around, dict) and node and node.value is not None:
            around[str(field_path[-1])] = _texts(node)
    for name, collection in (at(document, ("data_collector", "collections")) or {}).items():
        collection["enabled"] = str(collection["enabled"]).capitalize()
        if at(collection, ("data", "version")) is not None:
            collection["data"]["version"] = source.text(("data_collector", "collections", name, "data", "version"))
    return document


def _texts(node: Node) -> Json:
    if isinstance(node.value, dict):
        return {key: as_text(child.value, child.source_text) for key, child in node.children.items()}
    return as_text(node.value, node.source_text)


def _copy(value: Json, field_path: FieldPath = ()) -> Any:
    """A copy without keys that have no value, which azure-ai-ml refuses."""
    if isinstance(value, dict):
        own = field_path[:2] in _CONTENT
        return {key: _copy(item, (*field_path, key)) for key, item in value.items() if own or item is not None}
    return [_copy(item, field_path) for item in value] if isinstance(value, list) else value


def _trees(document: Mapping[str, Json], source: Source, folder: Path, root: Path) -> dict[str, tuple[str, Entries]]:
    """Field with a local path -> the name of the file or folder, and its relevant entries."""
    trees = {}
    for field_path, path in local_paths(document, folder):
        try:
            trees[".".join(map(str, field_path))] = (path.name, read_tree(path, root))
        except (OSError, TooMuch, Unusable) as error:
            cause = f"{path.name} cannot be read: {getattr(error, 'strerror', None) or error}."
            cure = "Fix the ignore file." if isinstance(error, Unusable) else "Check the path and its permissions."
            raise SpecError([problem(source, field_path, "AML128", cause, cure)]) from None
    return trees


def _release(document: Mapping[str, Json], trees: Mapping[str, tuple[str, Entries]]) -> str:
    """12 hex digits of a digest of the deployment's content, local files included."""
    parts = {name: value for name, value in document.items() if name not in _NOT_THE_RELEASE}
    return digest({"document": parts, "files": {field: digest_entries(each) for field, (_, each) in trees.items()}}, 12)


def _checked(model: type[EndpointDocument | DeploymentDocument], source: Source, kind: str) -> Checked:
    """The document checked against its model; one of another kind gets one problem, not one for each key."""
    other = file_kind.other_kind(source, kind)
    return Checked(source, {}, (other,)) if other else check(model, source)
