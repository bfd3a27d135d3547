"""An alias in a local file: JSON with scoring URI, endpoint and lease end. A reader sees the old one or the new one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.aliases.target import Context, Target, parsed
from deploy.errors import CloudError


def read(alias: Mapping[str, Any], outside: Context) -> Target | None:
    """What the file says; None when there is none."""
    try:
        return parsed((outside.root / alias["file"]).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _cannot("read", alias, error) from error


def write(alias: Mapping[str, Any], target: Target, outside: Context) -> None:
    """Written beside it, then moved over it in one stroke."""
    path: Path = outside.root / alias["file"]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, siblings = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as out:
                out.write(target.as_json())
                out.flush()
                os.fsync(out.fileno())
            Path(siblings).chmod(0o644)
            Path(siblings).replace(path)
        except OSError:
            Path(siblings).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _cannot("write", alias, error) from error


def clear(alias: Mapping[str, Any], outside: Context) -> None:
    """Delete the file; an absent one is success."""
    try:
        (outside.root / alias["file"]).unlink(missing_ok=True)
    except OSError as error:
        raise _cannot("delete", alias, error) from error


def _cannot(verb: str, alias: Mapping[str, Any], error: Exception) -> CloudError:
    cure = "See that the path in lease.alias.file is right and may be written"
    return CloudError(f"{verb} the alias {alias['file']}", str(error), cure, code="AML600")
