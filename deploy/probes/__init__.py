"""What a right answer looks like, one module for each type of probe.

A probe is a real scoring request with an expected answer. A module makes the request from the template's sample files
and judges what came back: `check` returns what was seen, or raises `WrongAnswer` with the one thing that was wrong.
It sends nothing and waits for nothing; the room that does so is `deploy.steps.probe`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from deploy.domain.report import Evidence
from deploy.errors import DeployError
from deploy.probes import cxrreportgen, gigapath, http, medimageinsight, medimageparse, medimageparse3d
from deploy.probes.answers import WrongAnswer
from deploy.probes.samples import Unfit

__all__ = ["Judge", "Unfit", "WrongAnswer", "find"]


class Judge(Protocol):
    """A type of probe. `probe` is the `probe` part of pipeline.yml as a mapping, `folder` the template's."""

    def request(self, probe: Mapping[str, Any], folder: Path) -> bytes:
        """The JSON body to POST. Unfit when a sample file is missing or unfit, or the probe lacks a key."""
        ...

    def check(self, probe: Mapping[str, Any], folder: Path, status: int, body: bytes) -> Evidence:
        """What was seen in the answer. WrongAnswer when it is not what was expected."""
        ...


_JUDGES: Mapping[str, Judge] = {
    "http": http,
    "medimageparse": medimageparse,
    "medimageparse3d": medimageparse3d,
    "medimageinsight": medimageinsight,
    "cxrreportgen": cxrreportgen,
    "gigapath": gigapath,
}


def find(type_name: str) -> Judge:
    """The module for a probe's `type`."""
    if type_name not in _JUDGES:
        raise DeployError(
            "probe the endpoint",
            f"this version has no probe of type '{type_name}'",
            f"Use one of: {', '.join(_JUDGES)}; 'http' fits every endpoint",
            code="AML412",
        )
    return _JUDGES[type_name]
