"""Probe types: a module for each, which builds a scoring request and checks the answer.

`request` builds the body from the sample files of the template. `values` reads the answer into typed values, for the
plausibility checks and the metrics of cases; `check` returns what the answer contains, with pictures. Both raise
`WrongAnswer` with the first thing that is wrong. The step type `deploy.steps.probe` sends the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from deploy.domain.report import Evidence
from deploy.errors import DeployError
from deploy.probes import cxrreportgen, gigapath, http, medimageinsight, medimageparse, medimageparse3d
from deploy.probes.answers import WrongAnswer
from deploy.probes.samples import InvalidProbe
from deploy.probes.values import Values

__all__ = ["TYPES", "InvalidProbe", "ProbeType", "WrongAnswer", "find"]


class ProbeType(Protocol):
    """A probe type. `probe` is the `probe` part of pipeline.yml as a mapping, `folder` the template's folder."""

    REQUIRED_KEYS: tuple[str, ...]
    INPUTS: tuple[str, ...]
    TAKES: str
    EXPECTS: tuple[str, ...]

    def request(self, probe: Mapping[str, Any], folder: Path) -> bytes:
        """The JSON body to POST. InvalidProbe if a sample file is missing or unsuitable, or the probe lacks a key."""
        ...

    def values(self, probe: Mapping[str, Any], folder: Path, status: int, body: bytes) -> Values:
        """The values of the response. WrongAnswer if its form is not as expected."""
        ...

    def check(self, probe: Mapping[str, Any], folder: Path, status: int, body: bytes) -> Evidence:
        """The results of the response. WrongAnswer if it is not as expected."""
        ...


TYPES: Mapping[str, ProbeType] = {
    "http": http,
    "medimageparse": medimageparse,
    "medimageparse3d": medimageparse3d,
    "medimageinsight": medimageinsight,
    "cxrreportgen": cxrreportgen,
    "gigapath": gigapath,
}


def find(type_name: str) -> ProbeType:
    """The module for a probe's `type`."""
    if type_name not in TYPES:
        raise DeployError(
            "probe the endpoint",
            f"this version has no probe of type '{type_name}'",
            f"Use one of: {', '.join(TYPES)}; 'http' works with every endpoint",
            code="AML412",
        )
    return TYPES[type_name]
