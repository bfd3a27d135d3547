"""An alias in a local file: JSON with scoring URI, endpoint and lease end. The file is replaced atomically."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.aliases.target import Context, Target, parse_target
from deploy.errors import CloudError


def read(alias: Mapping[str, Any], context: Context) -> Target | None:
    """The target in the file; None if there is no file or its content is something else."""
    try:
        return parse_target((context.root / alias["file"]).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _cannot("read", alias, error) from error


def write(alias: Mapping[str, Any], target: Target, context: Context) -> None:
    """Write a temporary file in the same folder, then rename it."""
    path: Path = context.root / alias["file"]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as out:
                out.write(target.as_json())
                out.flush()
                os.fsync(out.fileno())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _cannot("write", alias, error) from error


def clear(alias: Mapping[str, Any], context: Context) -> None:
    """Delete the file; success if it does not exist."""
    try:
        (context.root / alias["file"]).unlink(missing_ok=True)
    except OSError as error:
        raise _cannot("delete", alias, error) from error


def _cannot(verb: str, alias: Mapping[str, Any], error: Exception) -> CloudError:
    cure = "Check that the path in lease.alias.file is correct and writable"
    return CloudError(f"{verb} the alias {alias['file']}", str(error), cure, code="AML600")


def location(alias: Mapping[str, Any], context: Context) -> tuple[str, ...]:
    """The real path of the file."""
    return "file", os.path.realpath(context.root / alias["file"])
