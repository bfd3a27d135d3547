"""Rules for the assets of a deployment: definitions and addresses that azure-ai-ml cannot register.

Each function yields problems. Fields with problems of their own are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy.config.validation.schema import problem
from deploy.documents.fields import CODE
from deploy.documents.inline import parsed
from deploy.documents.local_paths import is_local
from deploy.documents.locations import FieldPath, Source, at
from deploy.errors import Problem

Json = Any
Problems = Iterator[Problem]
_OWN_ADDRESSES = re.compile(
    r"azureml://(jobs/|datastores/[^/\s]+/paths/|subscriptions/[^/\s]+/resource[gG]roups/[^/\s]+/workspaces/[^/\s]+/)\S+"
)
"""The addresses of azureml:// that a model can be registered from."""
_CONTEXT = re.compile(
    r"https?://([^\s:@/]+(:[^\s:@/]*)?@)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,6}(:\d{2,5})?([/?]\S*)?",
    re.IGNORECASE,
)
_VERSION = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}")
_VERSIONED: tuple[FieldPath, ...] = (("model",), ("environment",))


def assets(source: Source, document: Mapping[str, Json], folder: Path) -> Problems:
    """`document`: the valid part of a deployment document."""
    collections = at(document, ("data_collector", "collections")) or {}
    for field_path in (*_VERSIONED, *(("data_collector", "collections", str(name), "data") for name in collections)):
        yield from _version(source, document, (*field_path, "version"))
    if isinstance(model := document.get("model"), Mapping):
        yield from _model(source, model)
    if isinstance(environment := document.get("environment"), Mapping):
        yield from _environment(source, environment, folder)
    code = at(document, ("code_configuration", "code"))
    if code and not is_local(code) and not re.fullmatch(CODE, code):
        cause = "The code is neither a folder nor a reference to a code asset."
        yield problem(source, ("code_configuration", "code"), "AML128", cause, "Use a folder, relative to this file.")


def _version(source: Source, document: Mapping[str, Json], field_path: FieldPath) -> Problems:
    if at(document, field_path) is not None and not _VERSION.fullmatch(source.text(field_path)):
        cause = f"{'.'.join(map(str, field_path))} is not a valid version: {source.text(field_path)!r}."
        yield problem(source, field_path, "AML123", cause, "Use a number, such as `version: 1`.")


def _model(source: Source, model: Mapping[str, Json]) -> Problems:
    path, name = model["path"], model.get("name")
    if not name and model.get("version") is not None:
        yield problem(source, ("model",), "AML121", "The model has a version and no name.", "Add `name: ...`.")
    if model.get("type") == "mlflow_model" and "." in path.rstrip("/").rsplit("/", 1)[-1]:
        cause = (
            "model.path is not a folder, and an MLflow model is one; azure-ai-ml takes a name with a dot for a file."
        )
        cure = "Use the folder with the file MLmodel, under a name without a dot."
        yield problem(source, ("model", "path"), "AML122", cause, cure)
    elif is_local(path):
        return
    elif not _is_registrable(path):
        cause = "model.path is an address that a model cannot be registered from."
        cure = "Use a file or folder, azureml://datastores/..., azureml://jobs/... or runs:/.... For a model that is "
        cure += "registered already, use `model: azureml:<name>:<version>`."
        yield problem(source, ("model", "path"), "AML122", cause, cure)
    elif not name:
        cause = "The model is registered from an address and has no name; azure-ai-ml reads unnamed models from files."
        yield problem(source, ("model",), "AML121", cause, "Add `name: ...` below `model`.")


def _is_registrable(path: str) -> bool:
    """Whether azure-ai-ml registers the address as it is, and does not take it for a local path."""
    try:
        found = urlsplit(path)
    except ValueError:
        return False
    if found.scheme == "azureml":
        return bool(_OWN_ADDRESSES.fullmatch(path))
    return not re.search(r"\s", path) and bool(found.netloc or (found.scheme == "runs" and found.path.strip("/")))


def _environment(source: Source, environment: Mapping[str, Json], folder: Path) -> Problems:
    build, conda = environment.get("build"), environment.get("conda_file")
    if not environment.get("image") and not build:
        cause = "The environment has neither an image nor a build context."
        cure = "Add `image: ...` or `build: {path: ...}`. For an environment that exists, use "
        yield problem(source, ("environment",), "AML121", cause, f"{cure}`environment: azureml:<name>:<version>`.")
    if build and not is_local(build["path"]) and not _CONTEXT.fullmatch(build["path"]):
        cause = "environment.build.path is neither a folder nor an http(s) URL."
        yield problem(source, ("environment", "build", "path"), "AML122", cause, "Use a folder, relative to this file.")
    if isinstance(conda, str) and conda and not is_local(conda):
        cause = "environment.conda_file is not a file of this project."
        yield problem(source, ("environment", "conda_file"), "AML128", cause, "Copy the file into the template folder.")
    elif isinstance(conda, str) and conda and _is_no_mapping(folder / conda):
        cause = f"{conda} is not a conda specification: it is not a YAML mapping."
        yield problem(source, ("environment", "conda_file"), "AML128", cause, "Add `dependencies:` to it.")


def _is_no_mapping(file: Path) -> bool:
    """Whether a file exists and contains something else; a missing one has its own problem."""
    try:
        return parsed(file.read_bytes()) is None
    except IsADirectoryError:
        return True
    except (OSError, ValueError):
        return False
