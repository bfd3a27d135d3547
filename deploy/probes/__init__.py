"""The probe types, one module for each.

A probe is a real scoring request with an expected response. A module builds the request from sample files of the
template and checks the response: `check` returns the results, or raises `WrongAnswer` with the first problem.
`deploy.steps.probe` sends the requests.
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

__all__ = ["InvalidProbe", "ProbeType", "WrongAnswer", "find"]


class ProbeType(Protocol):
    """A probe type. `probe` is the `probe` part of pipeline.yml as a mapping, `folder` the template's folder."""

    def request(self, probe: Mapping[str, Any], folder: Path) -> bytes:
        """The JSON body to POST. InvalidProbe if a sample file is missing or unsuitable, or the probe lacks a key."""
        ...

    def check(self, probe: Mapping[str, Any], folder: Path, status: int, body: bytes) -> Evidence:
        """The results of the response. WrongAnswer if it is not as expected."""
        ...


_TYPES: Mapping[str, ProbeType] = {
    "http": http,
    "medimageparse": medimageparse,
    "medimageparse3d": medimageparse3d,
    "medimageinsight": medimageinsight,
    "cxrreportgen": cxrreportgen,
    "gigapath": gigapath,
}


def find(type_name: str) -> ProbeType:
    """The module of a probe type."""
    if type_name not in _TYPES:
        raise DeployError(
            "probe the endpoint",
            f"this version has no probe type '{type_name}'",
            f"Use one of: {', '.join(_TYPES)}; 'http' works with every endpoint",
            code="AML412",
        )
    return _TYPES[type_name]
