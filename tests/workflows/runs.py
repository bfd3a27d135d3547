"""A run of a workflow: jobs in the order of their needs, matrices, reusable workflows, environments, concurrency.

Jobs of one run are executed one after the other; runs are executed in parallel, each in its own thread.
"""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.workflows.expressions import Scope, truthy, words
from tests.workflows.steps import Machine, interrupt

if TYPE_CHECKING:
    from tests.workflows.github import GitHub

_POWER = {"read": 1, "write": 2}


@dataclass
class Run:
    """One run and its results. `heard` is called with every line of its log."""

    github: GitHub
    id: int
    event_name: str
    event: Mapping[str, Any]
    tree: Path
    ref: str = "refs/heads/main"
    heard: Callable[[Run, str], None] = lambda run, line: None  # noqa: ARG005
    stopped: threading.Event = field(default_factory=threading.Event)
    log: list[str] = field(default_factory=list)
    summaries: list[str] = field(default_factory=list)
    annotations: list[dict[str, str]] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    jobs: list[tuple[str, str]] = field(default_factory=list)
    deployments: list[tuple[str, str]] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None

    def say(self, line: str) -> None:
        self.github.shown("the log", line)
        self.log.append(line)
        self.heard(self, line)

    def cancel(self) -> None:
        """Cancel the run, as a click on Cancel does."""
        self.stopped.set()
        if self.process is not None:
            interrupt(self.process)

    @contextlib.contextmanager
    def watching(self, process: subprocess.Popen[str]) -> Iterator[None]:
        self.process = process
        yield
        self.process = None

    def github_context(self, token: str) -> dict[str, Any]:
        return {
            "event_name": self.event_name, "event": self.event, "repository": self.github.repository,
            "run_id": str(self.id), "ref": self.ref, "ref_name": self.ref.split("/", 2)[2], "token": token,
            "server_url": "https://github.com",
        }  # fmt: skip

    def workflow(self, file: str, inputs: Mapping[str, Any], allowed: Mapping[str, str] | None = None) -> Any:
        """Run a workflow file; return its result and outputs. `allowed`: the permissions of the calling job."""
        document = yaml.safe_load((self.github.tool / ".github/workflows" / file).read_text())
        called = document[True].get("workflow_call" if allowed is not None else self.event_name) or {}
        called = {} if isinstance(called, list) else called  # a schedule
        inputs = _checked(file, called.get("inputs") or {}, inputs)
        contexts = {"github": self.github_context(""), "inputs": inputs, "vars": self.github.variables}
        results: dict[str, Any] = {}
        with self._turn(document.get("concurrency"), Scope(contexts, {})):
            for name in _ordered(document["jobs"]):
                results[name] = self._job(f"{file}/{name}", document["jobs"][name], contexts, results, allowed)
        outputs = {
            name: words(Scope({"jobs": results}, {}).fill(said["value"]))
            for name, said in (called.get("outputs") or {}).items()
        }
        return _worst(each["result"] for each in results.values()), outputs

    def _job(
        self, name: str, job: Any, contexts: dict[str, Any], results: dict[str, Any], allowed: Mapping[str, str] | None
    ) -> dict[str, Any]:
        needs = {key: results[key] for key in job.get("needs", ())}
        status = {
            "success": lambda: not self.stopped.is_set() and all(n["result"] == "success" for n in needs.values()),
            "failure": lambda: any(n["result"] == "failure" for n in needs.values()),
            "cancelled": self.stopped.is_set,
            "always": lambda: True,
        }
        contexts = {**contexts, "needs": needs}
        scope = Scope(contexts, status)
        ends: list[tuple[str, dict[str, str]]] = []
        if scope.holds(job.get("if")):
            for leg in _legs(job, scope):
                with self._turn(job.get("concurrency"), Scope({**contexts, "matrix": leg}, status)):
                    ends.append(self._leg(job, {**contexts, "matrix": leg}, allowed))
        result = _worst(end[0] for end in ends) if ends else "cancelled" if self.stopped.is_set() else "skipped"
        self.jobs.append((name, result))
        return {"result": result, "outputs": ends[-1][1] if ends else {}}

    def _leg(self, job: Any, contexts: dict[str, Any], allowed: Mapping[str, str] | None) -> tuple[str, dict[str, str]]:
        if self.stopped.is_set():
            return "cancelled", {}
        rights = job.get("permissions") or {}
        if allowed is not None and any(_POWER[rights[k]] > _POWER.get(allowed.get(k, ""), 0) for k in rights):
            raise AssertionError(f"{job.get('name')} asks for {rights} and its caller has {allowed}")
        scope = Scope(contexts, {})
        if "uses" in job:
            given = {name: scope.fill(value) for name, value in (job.get("with") or {}).items()}
            return self.workflow(job["uses"].removeprefix("$/.github/workflows/"), given, rights)
        place = words(scope.fill((job.get("environment") or {}).get("name")))
        if place:
            self.github.approve(place)
        token = self.github.token(rights)
        contexts = {
            **contexts, "github": self.github_context(token), "job": {"permissions": rights, "environment": place},
            "vars": {**self.github.variables, **self.github.environments.get(place, {})},
        }  # fmt: skip
        folder = self.github.folder()
        variables = self.github.machine_variables(self, folder, place, rights)
        machine = Machine(self, folder, contexts, variables, (job.get("defaults") or {}).get("run") or {})
        done = machine.work(job["steps"])
        result = "cancelled" if self.stopped.is_set() else "failure" if machine.failed else "success"
        last = machine.scope(steps=done)
        if place:
            self.deployments.append((place, words(last.fill(job["environment"].get("url")))))
        outputs = {name: words(last.fill(value)) for name, value in (job.get("outputs") or {}).items()}
        self.github.shown("a job's outputs", str(outputs))
        return result, outputs

    @contextlib.contextmanager
    def _turn(self, concurrency: Any, scope: Scope) -> Iterator[None]:
        if not concurrency:
            yield
            return
        group, cancel = (scope.fill(concurrency.get(key)) for key in ("group", "cancel-in-progress"))
        queue = concurrency.get("queue", "single")
        with self.github.queues.turn(words(group), self, queue=queue, cancel=truthy(cancel)):
            yield


def _checked(file: str, said: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := given.keys() - said.keys():
        raise AssertionError(f"{file}: {unknown} is no input")
    if missing := [name for name, each in said.items() if each.get("required") and name not in given]:
        raise AssertionError(f"{file}: {missing} not given")
    return {name: given.get(name, each.get("default")) for name, each in said.items()}


def _ordered(jobs: Mapping[str, Any]) -> Iterator[str]:
    done: set[str] = set()
    while len(done) < len(jobs):
        ready = [name for name, job in jobs.items() if name not in done and done.issuperset(job.get("needs", ()))]
        yield from ready
        done.update(ready)


def _legs(job: Any, scope: Scope) -> list[dict[str, Any]]:
    matrix = (job.get("strategy") or {}).get("matrix") or {}
    axes = [[(name, value) for value in scope.fill(values)] for name, values in matrix.items()]
    return [dict(leg) for leg in itertools.product(*axes)]


def _worst(results: Any) -> str:
    found = list(results)
    return next((each for each in ("failure", "cancelled", "success") if each in found), "skipped")
