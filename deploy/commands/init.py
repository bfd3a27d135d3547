"""The command init: write the files of a new project, and those that an existing project lacks."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deploy.commands.invoke import REQUEST_FILE
from deploy.commands.project import Project
from deploy.config import reader, starter
from deploy.config.project_folder import ENVIRONMENTS
from deploy.documents import yaml12
from deploy.documents.local_paths import local_paths
from deploy.documents.locations import TEMPLATES, TemplateFiles, did_you_mean
from deploy.errors import SpecError, UsageError

_WHAT = "initialize this folder"
_SAMPLE = "amldeploy init --template own-model"


@dataclass(frozen=True)
class Initialized:
    """Paths relative to the project: those that were written, and those that existed and did not change."""

    written: Sequence[str]
    kept: Sequence[str]
    notes: Sequence[str] = ()
    next: Sequence[str] = ()
    """The commands that deploy the template to the environment local and call it."""


def init(
    project: Project, *, template: str | None = None, source: Path | None = None, github: bool = False
) -> Initialized:
    """Write templates, environment files, schemas and .gitignore; with `github` also a workflow.

    Never overwrites: an existing file or template folder stays as it is, so a second run adds what is missing. Without
    `template` and `source` a project that has templates gets no other one. `source`: a folder with files for `az ml`,
    which becomes the template `template`, or one with the folder's name. Raises UsageError before it writes anything.
    """
    root = project.root
    own = reader.template_names(root)
    names = [_name(template, source, own)] if template or source else own or [starter.DEFAULT]
    folder = _checked(root, source) if source else starter.shipped_templates() / names[0]
    writing = _Writing(root)
    if names[0] not in own:
        writing.template(names[0], folder, link=source is None)
    else:
        writing.kept.extend(f"{TEMPLATES}/{name}" for name in names)
    for name, text in starter.schemas().items():
        writing.file(f"{starter.SCHEMAS}/{name}", text)
    writing.file(".gitignore", starter.gitignore())
    notes = _workflow(writing) if github else []
    environments = reader.environment_files(root)
    for name in ("local", "dev"):
        if name in environments:
            writing.kept.append(environments[name])
        elif name == "local" or not set(environments) - {"local"}:
            writing.file(f"{ENVIRONMENTS}/{name}.yml", starter.environment_file(name, names))
    entries = _local_entries(project)
    key = next((key for key, used in entries.items() if used == names[0]), "KEY")
    if (template or source) and entries and key == "KEY" and "local" in environments:
        entry = f"{starter.key_of(names[0])}: {{template: {names[0]}}}"
        notes.append(f"{environments['local']} does not use {names[0]}. Add below endpoints: {entry}")
    return Initialized(writing.written, writing.kept, notes, _next(root, names[0], key if len(entries) > 1 else ""))


def _next(root: Path, template: str, key: str) -> list[str]:
    """The next commands. `key`: the template's endpoint in the environment local; empty if there is only one."""
    try:
        files = reader.read_template(root, template)
    except SpecError:  # a template of the project's own, which apply checks
        return [" ".join(["amldeploy apply -e local", key]).strip()]
    with_code = any(_has(files, name, "code_configuration") for name in files.deployments)
    with_probe = files.pipeline is not None and _has(files, files.pipeline, "probe")
    call = ["amldeploy invoke -e local", *filter(None, [key]), *([] if with_probe else [REQUEST_FILE])]
    return [*(["amldeploy emulator scoring"] if with_code else []), "amldeploy apply -e local", " ".join(call)]


def _has(files: TemplateFiles, name: str, field: str) -> bool:
    return re.search(rf"^{field}:", files.read(name) or "", re.MULTILINE) is not None


def write_schemas(folder: Path) -> list[str]:
    """Write the schemas of the files that users write, over older ones. Returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in starter.schemas().items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return [(folder / name).as_posix() for name in starter.schemas()]


def _name(template: str | None, source: Path | None, own: Sequence[str]) -> str:
    """The name of the template to write. Raises UsageError if it is invalid or unknown."""
    name = template or (source.resolve().name if source else "")
    if not reader.is_name(name):
        cure = "Use --template NAME with letters, digits, dots, dashes and underscores"
        raise UsageError(_WHAT, f"{name!r} is not a valid template name", cure, code="AML687")
    if source is None and name not in starter.names() and name not in own:
        known = f"Use one of {', '.join(starter.names())}, or --from FOLDER for files of your own"
        cure = did_you_mean(name, starter.names(), known).rstrip(".")
        raise UsageError(_WHAT, f"there is no template {name!r}", cure, code="AML687")
    return name


def _checked(root: Path, source: Path) -> Path:
    """The folder, if its files can be a template elsewhere. Raises UsageError or SpecError."""
    folder = (root / source).resolve()
    if not folder.is_dir():
        raise UsageError(_WHAT, f"{source} is not a folder", "Use --from with a folder", code="AML688")
    if root.resolve().is_relative_to(folder):
        cause = f"{source} contains this project"
        cure = f"Move the files into a folder of {TEMPLATES}/, and use that folder's name with --template"
        raise UsageError(_WHAT, cause, cure, code="AML688")
    try:
        files = reader.template_in(folder.parent, folder.name)
    except SpecError as error:
        name = f"The template {folder.name!r}"
        cause = "; ".join(problem.cause.rstrip(".").replace(name, str(source)) for problem in error.problems)
        cure = "Rename the files to endpoint.yml and deployment.yml (or blue-deployment.yml)"
        if not any(each.suffix in (".yml", ".yaml", ".j2") for each in folder.iterdir()):
            cure = f"Write a sample with {_SAMPLE}, then replace its code/, model/, conda.yml and probe/ by yours"
        raise UsageError(_WHAT, cause, cure, code="AML688") from None
    for name in files.deployments:
        _require_inside(folder, source, PurePosixPath(name).name, files.read(name) or "")
    return folder


def _require_inside(folder: Path, source: Path, name: str, text: str) -> None:
    """Raises UsageError if a deployment file refers to a local path outside its folder."""
    try:
        document = yaml12.parse(text, name).value
    except SpecError:
        return  # a file with jinja2: `validate` checks its paths
    for field_path, path in local_paths(document if isinstance(document, dict) else {}, folder):
        if not path.resolve().is_relative_to(folder):
            cause = f"{'.'.join(map(str, field_path))} of {source}/{name} is outside of {source}"
            cure = f"Move {path.name} into {source}, and change the path in {name}"
            raise UsageError(_WHAT, cause, cure, code="AML688")


def _workflow(writing: _Writing) -> list[str]:
    text, is_complete = starter.workflow()
    if not writing.file(starter.WORKFLOW, text) or is_complete:
        return []
    found = f"replace {starter.SOURCE} and {starter.COMMIT} in {starter.WORKFLOW}"
    return [f"{found} by the repository and the full commit SHA of amldeploy that your workflows call"]


def _local_entries(project: Project) -> dict[str, str]:
    """Key -> template of the endpoints in the environment local; empty if its file is invalid."""
    try:
        entries = reader.read_environment(project.root, "local").value.get("endpoints") or {}
        return {str(key): str(entry.get("template")) for key, entry in entries.items() if isinstance(entry, dict)}
    except (SpecError, AttributeError):
        return {}


class _Writing:
    """Writes files that do not exist, each one complete or not at all, also when the process is killed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.written: list[str] = []
        self.kept: list[str] = []

    def file(self, name: str, text: str) -> bool:
        """Write a file, or keep the existing one. Returns whether it was written."""
        path = self._root / name
        if os.path.lexists(path):
            self.kept.append(name)
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.amldeploy-init")
        draft.write_text(text, encoding="utf-8", newline="\n")
        draft.replace(path)
        self.written.append(name)
        return True

    def template(self, name: str, source: Path, *, link: bool) -> None:
        """Copy a template folder under its name, which exists only when the copy is complete.

        `link`: the lines for the editor name the schemas of the project.
        """
        draft = self._root / TEMPLATES / f".{name}.amldeploy-init"
        shutil.rmtree(draft, ignore_errors=True)
        files = starter.template_files(source)
        for file, path in files.items():
            target = draft / file
            target.parent.mkdir(parents=True, exist_ok=True)
            if link:
                target.write_bytes(starter.linked(path.read_bytes()))
            else:
                shutil.copy2(path, target)
        draft.rename(self._root / TEMPLATES / name)
        self.written.extend(f"{TEMPLATES}/{name}/{file}" for file in files)
