"""The project of a run: one environment, one template with code of its own, and an endpoint with a unique name."""

from __future__ import annotations

import secrets
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.config import reader, validation
from deploy.domain.spec import Environment

TEMPLATE = Path(__file__).with_name("template")
KEY = "acceptance"
"""The name of the environment, the template and the entry."""


@dataclass(frozen=True)
class Project:
    """The files of a run in `folder`. `name` is the name of the run, of its endpoint, and part of its owner tag, so
    a teardown finds only what this run created.
    """

    folder: Path
    name: str
    target: Environment

    @property
    def endpoint_id(self) -> str:
        """The ARM id of the endpoint."""
        return f"{self.target.workspace_id}/onlineEndpoints/{self.name}"

    def write_release(self, number: int, *, fails: bool = False) -> None:
        """Write the scoring script of a release."""
        script = self.folder / "templates" / KEY / "code" / "score.py"
        script.write_text(scoring_script(f"{self.name}-{number}", fails=fails), encoding="utf-8")

    def by_hand(self) -> str:
        """What to delete by hand, and how."""
        at = self.target
        command = (
            f"az ml online-endpoint delete --yes --name {self.name} --workspace-name {at.workspace}"
            f" --resource-group {at.resource_group} --subscription {at.subscription_id}"
        )
        parts = [self.endpoint_id, *(f"{self.endpoint_id}/deployments/{slot}" for slot in ("blue", "green"))]
        amldeploy = Path(sys.executable).with_name("amldeploy")
        again = f"cd {shlex.quote(str(self.folder))} && {shlex.quote(str(amldeploy))} teardown -e {KEY} --yes"
        return "\n".join([*(f"  {part}" for part in parts), "Delete them with one of these commands:",
                          f"  {again}", f"  {command}"])  # fmt: skip

    def write(self, instance_type: str) -> None:
        """Write the files."""
        at, state = self.target, self.folder.parents[2]
        (self.folder / "environments").mkdir(parents=True)
        (state / ".gitignore").write_text("*\n")
        shutil.copytree(TEMPLATE, self.folder / "templates" / KEY)
        values = f"{{name: {self.name}, instance_type: {instance_type}}}"
        (self.folder / "environments" / f"{KEY}.yml").write_text(
            f"cloud: {at.cloud}\nproject: {self.name}\nsubscription_id: {at.subscription_id}\n"
            f"resource_group: {at.resource_group}\nworkspace: {at.workspace}\n"
            f"endpoints: {{{KEY}: {{template: {KEY}, values: {values}}}}}\n",
            encoding="utf-8",
        )
        if at.cloud == "local":  # the world of the user's project, so that a running emulator is used
            (self.folder / ".amldeploy").symlink_to(state.resolve())


def create(root: Path, environment: str) -> Project:
    """A project for the workspace of `environments/ENVIRONMENT.yml`, not written yet. Raises SpecError."""
    target = validation.validate_environment(reader.read_environment(root, environment)).environment
    name = f"acceptance-{secrets.token_hex(4)}"
    return Project(root / ".amldeploy" / "acceptance" / name / "project", name, target)


def scoring_script(release: str, *, fails: bool) -> str:
    """The scoring script of a release. One that fails starts, and answers no request."""
    text = (TEMPLATE / "code" / "score.py").read_text(encoding="utf-8")
    return text.replace('RELEASE = "RELEASE"', f'RELEASE = "{release}"').replace("FAILS = False", f"FAILS = {fails}")
