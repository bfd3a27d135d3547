"""Reads the sample files of probes.

Only files inside the template's folder are read, so a template cannot send other files of this machine to an endpoint.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.errors import DeployError


class InvalidProbe(DeployError):
    """The request of a probe cannot be built. `field` is the key of `probe` in pipeline.yml to fix."""

    def __init__(self, field: str, cause: str, cure: str) -> None:
        super().__init__("build the probe's request", cause, cure, code="AML411")
        self.field = field


class Unreadable(Exception):
    """A file of a case cannot be used: a cause and a cure, as phrases without the file's name."""

    def __init__(self, cause: str, cure: str) -> None:
        self.cause, self.cure = cause, cure
        super().__init__(cause)


def missing_extra(package: str, name: str, extra: str = "medical") -> Unreadable:
    """The error for a file that needs a package that is not installed."""
    return Unreadable(
        f"{name} needs {package}, which is not installed", f"Install it: pip install 'amldeploy[{extra}]'"
    )


_PNG = b"\x89PNG\r\n\x1a\n"


def required_text(probe: Mapping[str, Any], key: str) -> str:
    """A required key of this probe type."""
    value = probe.get(key)
    if not isinstance(value, str) or not value.strip():
        raise InvalidProbe(
            key, f"a probe of type {probe.get('type')} needs '{key}'", "Add it to 'probe' in pipeline.yml"
        )
    return value


def read(folder: Path, name: str, field: str = "image") -> bytes:
    """The bytes of a file inside `folder`; `field` is the key with its name."""
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise InvalidProbe(
            field, f"'{name}' is outside the template's folder", "Copy the file into the template folder"
        )
    try:
        return file.read_bytes()
    except OSError as error:
        cure = "Fix the path in 'probe' of pipeline.yml"
        raise InvalidProbe(field, f"{file}: {error.strerror or error}", cure) from None


def png_size(image: bytes, name: str) -> tuple[int, int]:
    """Width and height in pixels, from the header of a PNG."""
    if len(image) < 24 or not image.startswith(_PNG) or image[12:16] != b"IHDR":
        cure = "Convert it to 8-bit RGB PNG, the documented format"
        raise InvalidProbe("image", f"'{name}' is not a PNG image", cure)
    width, height = struct.unpack(">II", image[16:24])
    return width, height


def base64_text(content: bytes) -> str:
    """Bytes as base64 on one line."""
    return base64.b64encode(content).decode("ascii")


def prompts_of(probe: Mapping[str, Any]) -> list[str]:
    """The prompts of a probe's text, separated by `&`; an empty one is an error."""
    prompts = [prompt.strip() for prompt in required_text(probe, "text").split("&")]
    if not all(prompts):
        cure = "Use one & between two prompts"
        raise InvalidProbe("text", f"'text' has an empty prompt in '{probe['text']}'", cure)
    return prompts


def files_of(named: Sequence[Mapping[str, Any]], folder: Path) -> dict[str, Path]:
    """The files that cases read, besides their YAML: name -> path."""
    found: dict[str, Path] = {}
    for each in named:
        case, start = each["case"], folder / str(each["folder"])
        expect = case.get("expect") or {}
        masks = expect.get("masks") or {}
        files = [case.get("image"), case.get("body"), expect.get("vector")]
        files += [expect["answer"]] if isinstance(expect.get("answer"), str) else []
        files += [masks] if isinstance(masks, str) else list(masks.values())
        found |= {f"{each['folder']}/{name}": start / name for name in files if name}
    return found
