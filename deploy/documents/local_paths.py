"""The fields of a deployment document that refer to local files, as opposed to URIs and asset references."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deploy.documents.locations import FieldPath, at

_FIELDS: tuple[FieldPath, ...] = (
    ("code_configuration", "code"),
    ("model", "path"),
    ("environment", "conda_file"),
    ("environment", "build", "path"),
)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
"""A prefix such as `azureml:` or `https:`; a single letter is a Windows drive."""


def local_paths(document: Mapping[str, Any], folder: Path) -> Iterator[tuple[FieldPath, Path]]:
    """The path of each field that refers to a local file or folder, and its path; relative paths start at `folder`."""
    for field_path in _FIELDS:
        value = at(document, field_path)
        if is_local(value):
            yield field_path, folder / value


def is_local(value: Any) -> bool:
    """Whether the value of one of these fields is a path, and neither a URI nor a reference to an asset."""
    return isinstance(value, str) and bool(value) and not _ADDRESS.match(value)
