"""What a deployment document holds of the user's own machine: the fields that name files, told from addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deploy.documents.places import Trail, at

_FIELDS: tuple[Trail, ...] = (
    ("code_configuration", "code"),
    ("model", "path"),
    ("environment", "conda_file"),
    ("environment", "build", "path"),
)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
"""`azureml:`, `https:` and the like; a single letter is a drive."""


def local_paths(document: Mapping[str, Any], folder: Path) -> Iterator[tuple[Trail, Path]]:
    """Where a file or folder is named, and its path; one that is relative starts at `folder`."""
    for trail in _FIELDS:
        value = at(document, trail)
        if isinstance(value, str) and value and not _ADDRESS.match(value):
            yield trail, folder / value
