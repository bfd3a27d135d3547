"""azure-ai-ml's entities of endpoints and deployments, loaded from CLI v2 documents, with what a file cannot say."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from deploy.cloud.transport import IMPORT_LOCK
from deploy.domain.arm import Json

Record = Callable[[Mapping[str, Json]], Mapping[str, str]]
"""Ids of a deployment's assets (path in the file -> ARM id) -> the tags that go with it."""


def load_endpoint(document: Mapping[str, Json]) -> Any:
    with IMPORT_LOCK:
        from azure.ai.ml import load_online_endpoint

    return load_online_endpoint(_as_file(document))


def load_deployment(document: Mapping[str, Json], folder: Path, record: Record) -> Any:
    """Relative paths of the document start at `folder`.

    When its body is written, the entity adds the record of its assets, which are made just before, and the sampling
    rates of collections where they differ.
    """
    with IMPORT_LOCK:
        from azure.ai.ml import load_online_deployment

    plain, rates = _with_one_rate(document)
    entity: Any = load_online_deployment(_as_file(plain), relative_origin=str(folder / "deployment.yml"))
    write = entity._to_rest_object  # noqa: SLF001 called when its assets are made

    def write_whole(*args: Any, **kwargs: Any) -> Any:
        code = entity.code_configuration and entity.code_configuration.code
        made = {"model": entity.model, "environment": entity.environment, "code_configuration.code": code}
        entity.tags = {**(entity.tags or {}), **record(made)}
        body = write(*args, **kwargs)
        for name, rate in rates.items():
            body.properties.data_collector.collections[name].sampling_rate = rate
        return body

    entity._to_rest_object = write_whole  # noqa: SLF001
    return entity


def _with_one_rate(document: Mapping[str, Json]) -> tuple[Mapping[str, Json], Mapping[str, float]]:
    """A document that CLI v2 knows, and the sampling rate of each collection where it is not one for all."""
    collector = document.get("data_collector") or {}
    if not isinstance(rates := collector.get("sampling_rate"), Mapping):
        return document, {}
    plain = {name: value for name, value in collector.items() if name != "sampling_rate"}
    return {**document, "data_collector": plain}, rates


def _as_file(document: Mapping[str, Json]) -> io.StringIO:
    """In ASCII: of other characters, some that are line ends for one reader of YAML are not for another."""
    return io.StringIO(yaml.safe_dump(dict(document), sort_keys=False))
