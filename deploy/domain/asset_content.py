"""What a version of a model or an environment is made of: as the files define it, and as Azure returns it.

Both are maps: part -> text. A part that cannot be compared is absent. Azure refuses another value of a part for a
version that exists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote

from deploy.documents.inline import parsed
from deploy.documents.local_paths import is_local
from deploy.domain.arm import Json
from deploy.domain.digests import TooMuch, digest
from deploy.domain.ignore_file import Unusable
from deploy.domain.upload_path import upload_path

KINDS = ("model", "environment")
"""Fields of a deployment document that can define an asset."""
_UPLOAD = re.compile(r"/(?:LocalUpload|az-ml-artifacts)/([0-9a-f]+/[^/?]+)/?(?:\?.*)?$")
"""The end of an address to which azure-ai-ml uploaded; the second folder is that of old versions."""
_DATASTORE = re.compile(r"/(datastores/[^?]+?)/*$")
_NO_PACKAGES = frozenset({"name", "prefix"})
"""Keys of a conda file that change no package."""


def pinned(document: Mapping[str, Json]) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """The fields of a deployment document that define an asset with a name and a version, and their values."""
    for field in KINDS:
        asset = document.get(field)
        if isinstance(asset, Mapping) and asset.get("name") and asset.get("version") is not None:
            yield field, asset


def of_files(field: str, asset: Mapping[str, Json], folder: Path) -> dict[str, str]:
    """The content of an asset that a deployment document defines; relative paths start at `folder`. An environment has
    either an image or a build context.
    """
    if field == "model":
        return _known({"files": _files(asset.get("path"), folder)})
    if build := asset.get("build"):
        dockerfile = str(build.get("dockerfile_path") or "Dockerfile")
        return _known({"build context": _files(build.get("path"), folder), "dockerfile_path": dockerfile})
    return _known(
        {"image": str(asset.get("image") or ""), "conda file": _conda(_content(asset.get("conda_file"), folder))}
    )


def of_version(field: str, properties: Mapping[str, Json]) -> dict[str, str]:
    """The content of a version in Azure, from its ARM properties."""
    if field == "model":
        return _known({"files": _address(properties.get("modelUri"))})
    build, conda = properties.get("build"), properties.get("condaFile")
    shared = {"image": str(properties.get("image") or ""), "conda file": _conda(parsed(conda) if conda else {})}
    if not isinstance(build, Mapping):
        return _known({**shared, "build context": "none", "dockerfile_path": "none"})
    context, dockerfile = _address(build.get("contextUri")), str(build.get("dockerfilePath") or "Dockerfile")
    return _known({**shared, "build context": context, "dockerfile_path": dockerfile})


def differing(desired: Mapping[str, str], existing: Mapping[str, str]) -> list[str]:
    """The parts with a known difference."""
    return [part for part, value in desired.items() if part in existing and existing[part] != value]


def _known(parts: Mapping[str, str | None]) -> dict[str, str]:
    return {part: value for part, value in parts.items() if value is not None}


def _files(path: Json, folder: Path) -> str | None:
    """The path of the upload of local files, or the part of an address that identifies it."""
    if not is_local(path):
        return _address(path)
    try:
        return upload_path(Path(path) if Path(path).is_absolute() else (folder / path).resolve())
    except (OSError, TooMuch, Unusable):
        return None


def _address(address: Json) -> str | None:
    """The part of an address that is the same in each of its forms: that of an upload, or the path in a datastore."""
    text = unquote(str(address or ""))
    found = _UPLOAD.search(text) or _DATASTORE.search(text)
    return found[1] if found else None


def _content(conda: Json, folder: Path) -> Json:
    """The content of a conda file, as a mapping; None if it cannot be read."""
    if not conda:
        return {}
    try:
        return parsed(conda if isinstance(conda, Mapping) else (folder / conda).read_bytes())
    except OSError:
        return None


def _conda(content: Json) -> str | None:
    """A digest of the packages of a conda file, since it can contain secrets."""
    if content is None:
        return None
    packages = {key: value for key, value in content.items() if key not in _NO_PACKAGES}
    return digest(packages, 16) if packages else "none"
