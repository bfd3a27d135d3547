"""The path under which azure-ai-ml uploads a file or folder: a digest and a name. It imports none of the SDK.

azure-ai-ml 1.35 (`_utils/_asset_utils.py`, `get_object_hash`): SHA-256 over the names and contents of everything in the
folder that its ignore file leaves, also of what programs wrote. tests/contract/test_uploads.py compares the two.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from deploy.domain.digests import TooMuch
from deploy.domain.ignore_file import read_ignore_file

_SEED = b"Initialize for october 2021 AML CLI version"
_ENTRIES = 100_000
"""Entries of a folder that are read at most."""
_CHUNK = 1 << 20
"""Bytes that are read at once."""


def upload_path(path: Path) -> str:
    """`<digest>/<name>`. `path` is absolute. Raises TooMuch, Unusable for an ignore file, and OSError for a file that
    cannot be read.
    """
    whole = hashlib.sha256(_SEED)
    if path.is_dir():
        _add_folder(whole, path)
    else:
        _add_file(whole, path)
    return f"{whole.hexdigest()}/{path.name}"


def _add_folder(whole: Any, root: Path) -> None:
    """Entries are sorted by their lower-case paths; a link counts with its own name and what it leads to."""
    ignored, left = read_ignore_file(root), _ENTRIES
    pending: list[tuple[Path, tuple[Path, ...]]] = [(root, (root.resolve(),))]
    while pending:
        entry, above = pending.pop()
        if entry is not root:
            if ignored.excludes(str(entry)):
                continue
            whole.update(entry.name.encode("utf-8", "surrogateescape"))
            entry = entry.resolve() if entry.is_symlink() else entry
        if entry.is_file():
            _add_file(whole, entry)
        elif entry.is_dir():
            inside = sorted(entry.iterdir(), key=lambda each: str(each).lower())[::-1]
            left -= len(inside)
            if left < 0:
                raise TooMuch(f"more than {_ENTRIES} entries")
            parents = above if entry is root else (*above, entry.resolve())
            if len(set(parents)) < len(parents):
                raise TooMuch("a link to a folder that it is in")
            pending += [(each, parents) for each in inside]


def _add_file(whole: Any, file: Path) -> None:
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            whole.update(chunk)
