"""One project on one open emulator with one endpoint, its files, and a second client that changes the endpoint live."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from deploy import commands, diff
from tests.outsider import Outsider
from tests.project import make_project
from tests.table import SAMPLES

ENVIRONMENT = {
    "cloud": "local",
    "subscription_id": "00000000-0000-0000-0000-000000000001",
    "resource_group": "rg-local",
    "workspace": "mlw-local",
}


class Ground:
    """One project on one open emulator; its endpoint sets a value for every row of the diff table."""

    def __init__(self, root: Path, strategy: str) -> None:
        self.project, self.outsider = commands.Project(make_project(root)), Outsider.__new__(Outsider)
        self.write("environments/law.yml", {**ENVIRONMENT, "endpoints": {"all": {"template": "all"}}})
        self.write("templates/all/pipeline.yml", {"rollout": {"strategy": strategy}})
        self.endpoint, self.deployment = documents()
        self.files()

    def write(self, name: str, document: Any) -> None:
        path = self.project.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    def files(self, **changed: Any) -> None:
        """Write the template as it is, or with another endpoint or deployment."""
        self.write("templates/all/endpoint.yml", changed.get("endpoint", self.endpoint))
        self.write("templates/all/deployment.yml", changed.get("deployment", self.deployment))

    @property
    def live(self) -> str:
        """Return the path of the deployment that receives traffic."""
        (slot,) = self.outsider.get("all-here")["properties"]["traffic"]
        return f"all-here/deployments/{slot}"

    def move_traffic(self, *slots: str) -> None:
        """Another client moves all traffic to a slot, or removes all traffic."""
        body = self.outsider.get("all-here")
        body["properties"]["traffic"] = dict.fromkeys(slots, 100)
        self.outsider.put("/onlineEndpoints/all-here", body)

    def plan(self) -> Any:
        return commands.plan(self.project, "law")

    def apply(self) -> list[Any]:
        """Apply; return the problems."""
        done = commands.apply(self.project, "law", approve=lambda *_: None, emit=lambda _: None)
        return [outcome.error for outcome in done.report.outcomes if outcome.error]


def documents() -> tuple[dict[str, Any], dict[str, Any]]:
    """An endpoint and a deployment with the first sample of every row."""
    endpoint: dict[str, Any] = {"name": "all-here"}
    deployment: dict[str, Any] = {"name": "blue", "endpoint_name": "all-here"}
    for document, table in ((endpoint, diff.ENDPOINT), (deployment, diff.DEPLOYMENT)):
        for row in table:
            if not row.yaml.startswith(("identity", "code_", "private_")):
                put(document, row.yaml, SAMPLES[row.yaml][0].yaml)
    endpoint["identity"] = {"type": "system_assigned"}
    return endpoint, deployment


def put(document: dict[str, Any], path: str, value: Any) -> None:
    *around, last = path.replace("*", "k").split(".")
    for name in around:
        document = document.setdefault(name, {})
    document[last] = value
