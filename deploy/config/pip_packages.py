"""The pip packages that the conda specification of a deployment lists, for the emulator's scoring interpreter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deploy.documents.locations import at

_FILE = re.compile(r"(-r|-c|--requirement|--constraint)[ =]?\s*(\S+)$")


def pip_packages(document: Mapping[str, Any], folder: Path) -> list[str]:
    """The lines of `pip:` in the conda file of a deployment document, as in a requirements file; paths absolute.

    Empty without a conda file, and for one that cannot be read: Azure and the emulator report that. Conda's own
    packages are left out: pip knows many of them by other names.
    """
    conda, start = at(document, ("environment", "conda_file")), folder
    if isinstance(conda, str) and conda:
        start = (folder / conda).parent
        try:
            conda = yaml.safe_load((folder / conda).read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError):
            return []
    listed = at(conda, ("dependencies",))
    parts = [each.get("pip") for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    lines = [line for part in parts if isinstance(part, list) for line in part if isinstance(line, str)]
    return [_FILE.sub(lambda found: f"{found[1]} {(start / found[2]).resolve()}", line.strip()) for line in lines]
