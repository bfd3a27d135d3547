"""One job on one machine: its steps in order, run by bash or by a stand-in for a marketplace action."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.workflows import actions
from tests.workflows.expressions import Scope, words

if TYPE_CHECKING:
    from tests.workflows.runs import Run

_COMMAND = re.compile(r"::(?P<name>[a-z-]+)(?: (?P<more>[^:]*(?::(?!:)[^:]*)*))?::(?P<text>.*)")
_FILES = ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")
_SHELLS = {"bash": ["--noprofile", "--norc", "-eo", "pipefail"], None: ["-e"]}


@dataclass
class Machine:
    """The machine of a job. `contexts` are those of the job; `env` is what GITHUB_ENV added."""

    run: Run
    folder: Path
    contexts: dict[str, Any]
    variables: dict[str, str]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    failed: bool = False
    number: int = 0

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    def work(self, steps: list[Mapping[str, Any]], action: Path | None = None, **contexts: Any) -> dict[str, Any]:
        """Run steps of the job, or of a composite action; return their `steps` context."""
        done: dict[str, Any] = {}
        for step in steps:
            scope = self._scope({**contexts, "steps": done})
            if not scope.holds(step.get("if")):
                continue
            self.run.say(f"##[step]{scope.fill(step.get('name', ''))}")
            ok, outputs = self._step(step, scope, action)
            self.failed = self.failed or not (ok or step.get("continue-on-error"))
            if "id" in step:
                outcome = "success" if ok else "failure"
                conclusion = "success" if step.get("continue-on-error") else outcome
                done[step["id"]] = {"outputs": outputs, "outcome": outcome, "conclusion": conclusion}
        return done

    def scope(self, **contexts: Any) -> Scope:
        return self._scope(contexts)

    def _scope(self, contexts: Mapping[str, Any]) -> Scope:
        stopped = self.run.stopped
        status = {
            "success": lambda: not self.failed and not stopped.is_set(),
            "failure": lambda: self.failed and not stopped.is_set(),
            "cancelled": stopped.is_set,
            "always": lambda: True,
        }
        return Scope({**self.contexts, "env": self.env, **contexts}, status)

    def _step(self, step: Mapping[str, Any], scope: Scope, action: Path | None) -> tuple[bool, dict[str, str]]:
        env = {name: words(scope.fill(value)) for name, value in (step.get("env") or {}).items()}
        if "run" in step:
            shell = step.get("shell") or self.defaults.get("shell")
            return self._bash(words(scope.fill(step["run"])), shell, env, action)
        given = {name: scope.fill(value) for name, value in (step.get("with") or {}).items()}
        if step["uses"].startswith("$/"):
            return self._composite(self.run.github.tool / step["uses"][2:], given)
        return actions.stand_in(self, step["uses"], given)

    def _composite(self, folder: Path, given: Mapping[str, Any]) -> tuple[bool, dict[str, str]]:
        document = yaml.safe_load((folder / "action.yml").read_text())
        wanted = document.get("inputs") or {}
        if missing := [name for name, said in wanted.items() if said.get("required") and name not in given]:
            raise AssertionError(f"{folder.name}: {missing} not given")
        if unknown := given.keys() - wanted.keys():
            raise AssertionError(f"{folder.name}: {unknown} is no input")
        done = self.work(document["runs"]["steps"], folder, inputs=given)
        scope = self._scope({"steps": done, "inputs": given})
        outputs = {name: words(scope.fill(said["value"])) for name, said in (document.get("outputs") or {}).items()}
        return not self.failed, outputs

    def _bash(
        self, script: str, shell: str | None, env: Mapping[str, str], action: Path | None
    ) -> tuple[bool, dict[str, str]]:
        self.number += 1
        place = self.folder / f"step-{self.number}"
        place.mkdir()
        files = {name: place / name.lower() for name in _FILES}
        for file in files.values():
            file.touch()
        (place / "script.sh").write_text(script)
        process = subprocess.Popen(
            # A background shell ignores SIGINT, and child processes would inherit that.
            ["env", "--default-signal=INT", "bash", *_SHELLS[shell], str(place / "script.sh")],  # noqa: S607
            cwd=self.workspace,
            env={
                **self.variables,
                **self.env,
                **{name: str(file) for name, file in files.items()},
                **({"GITHUB_ACTION_PATH": str(action)} if action else {}),
                **env,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        with self.run.watching(process), process:
            for line in process.stdout or ():
                self._heard(line.rstrip("\n"))
        self.env.update(_pairs(files["GITHUB_ENV"].read_text()))
        self.run.summaries.append(files["GITHUB_STEP_SUMMARY"].read_text())
        for name in _FILES:
            self.run.github.shown(name, files[name].read_text())
        for folder in files["GITHUB_PATH"].read_text().split():
            self.variables["PATH"] = f"{folder}{os.pathsep}{self.variables['PATH']}"
        if process.returncode:
            self.run.say(f"##[error]Process completed with exit code {process.returncode}.")
        self.run.codes.append(process.returncode)
        return process.returncode == 0, _pairs(files["GITHUB_OUTPUT"].read_text())

    def _heard(self, line: str) -> None:
        command = _COMMAND.fullmatch(line)
        if command is None:
            self.run.say(line)
        elif command["name"] == "add-mask":
            self.run.github.masks.add(_plain(command["text"]))
        elif command["name"] in ("error", "warning", "notice"):
            more = dict(pair.split("=", 1) for pair in (command["more"] or "").split(",") if "=" in pair)
            self.run.github.shown("an annotation", line)
            self.run.annotations.append({"level": command["name"], "text": command["text"], **more})


def _plain(text: str) -> str:
    for code, sign in (("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(code, sign)
    return text


def _pairs(text: str) -> dict[str, str]:
    """Parse `name=value` and `name<<END` ... `END` as the runner does."""
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        heredoc = re.fullmatch(r"([^=<]+)<<(.+)", line)
        if heredoc:
            part: list[str] = []
            for more in lines:
                if more == heredoc[2]:
                    break
                part.append(more)
            found[heredoc[1]] = "\n".join(part)
        elif line:
            name, _, value = line.partition("=")
            found[name] = value
    return found


def interrupt(process: subprocess.Popen[str]) -> None:
    """Cancel as GitHub does: SIGINT to the first process of the step, SIGTERM after 7.5 seconds, SIGKILL after 2.5
    more.
    """
    process.send_signal(signal.SIGINT)
    for seconds, number in ((7.5, signal.SIGTERM), (10.0, signal.SIGKILL)):
        timer = threading.Timer(seconds, lambda number=number: process.poll() is None and process.send_signal(number))
        timer.daemon = True
        timer.start()
