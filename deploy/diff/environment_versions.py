"""Compares an inline environment of a deployment file with the environment version of the live deployment.

The build context is not compared, since Azure only has the URL of its copy; the release changes with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deploy.diff.fields import Change, Mutability
from deploy.documents.inline import parsed

Json = Any
_ROUTES = ("liveness_route", "readiness_route", "scoring_route")


def compare(desired: Mapping[str, Json], conda: Json, existing: Mapping[str, Json]) -> tuple[Change, ...]:
    """`desired`: the environment of a deployment file; `conda`: the content of its conda_file; `existing`: the
    ARM `properties` of an environment version.
    """
    pairs = [
        ("image", existing.get("image"), desired.get("image")),
        (
            "build.dockerfile_path",
            _dockerfile(existing, "dockerfilePath"),
            _dockerfile(desired, "dockerfile_path"),
        ),
        ("os_type", _lower(existing.get("osType")), _lower(desired.get("os_type"))),
        *_routes(existing.get("inferenceConfig") or {}, desired.get("inference_config") or {}),
        *_packages(parsed(existing.get("condaFile")) or {}, conda or {}),
    ]
    return tuple(
        Change(f"environment.{path}", before, after, Mutability.UPDATE)
        for path, before, after in pairs
        if before != after
    )


def _lower(value: Json) -> str:
    return str(value or "linux").lower()


def _dockerfile(environment: Mapping[str, Json], key: str) -> Json:
    build = environment.get("build")
    return (build.get(key) or "Dockerfile") if isinstance(build, Mapping) else None


def _routes(existing: Mapping[str, Json], desired: Mapping[str, Json]) -> Iterator[tuple[str, Json, Json]]:
    for name in _ROUTES:
        first, _, rest = name.partition("_")
        before, after = existing.get(first + rest.title()) or {}, desired.get(name) or {}
        for key in ("port", "path"):
            yield f"inference_config.{name}.{key}", before.get(key), after.get(key)


def _packages(existing: Mapping[str, Json], desired: Mapping[str, Json]) -> Iterator[tuple[str, Json, Json]]:
    """The removed and the added dependencies, and changes of other keys."""
    before, after = _flat(existing.get("dependencies")), _flat(desired.get("dependencies"))
    gone, new = [each for each in before if each not in after], [each for each in after if each not in before]
    yield "conda_file.dependencies", gone or None, new or None
    for key in sorted((existing.keys() | desired.keys()) - {"dependencies"}):
        yield f"conda_file.{key}", existing.get(key), desired.get(key)


def _flat(dependencies: Json) -> list[str]:
    """The dependencies as text: `numpy=1.26`, `pip: torch==2.4`."""
    found: list[str] = []
    for each in dependencies if isinstance(dependencies, list) else []:
        if isinstance(each, Mapping):
            found += [f"{tool}: {name}" for tool, names in each.items() for name in names or ()]
        else:
            found.append(str(each))
    return found
