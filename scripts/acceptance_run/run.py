"""The life of an endpoint, step by step, and the teardown that always follows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.acceptance_run.budget import TEARDOWN_HOURS
from scripts.acceptance_run.commands import Commands, Ended, Stopped, say
from scripts.acceptance_run.project import KEY, Project

Json = Any


class Unexpected(Exception):
    """A step did not end as it must."""


@dataclass(frozen=True)
class Live:
    """The slot with all traffic, and its release."""

    slot: str
    release: str


class Run:
    """One run: a project, the commands in it, and the time limit of the steps."""

    def __init__(self, project: Project, commands: Commands, seconds: float) -> None:
        self.project, self.commands = project, commands
        self.end = time.monotonic() + seconds
        """The time until which steps can run, as `time.monotonic` returns it."""
        self._first = Live("", "")
        self.changes = False
        """Whether a command was started that changes something in Azure."""

    def play(self, steps: Sequence[Step]) -> int:
        """Run the steps. Returns the exit code: 0, 5 for a step that did not end as it must, 128 + a signal."""
        for number, (title, step) in enumerate(steps, 1):
            say(f"{number}. {title} ...")
            started = time.monotonic()
            try:
                step(self)
            except (Unexpected, Stopped) as problem:
                say(f"   NOT OK after {time.monotonic() - started:.0f} s: {problem}")
                return problem.code if isinstance(problem, Stopped) else 5
            say(f"   ok, {time.monotonic() - started:.0f} s")
        return 0

    def teardown(self) -> int:
        """Delete what the run created, and check that it does not exist any more. Returns the exit code: 0, 5 if
        `amldeploy teardown` did not do it, 6 if something may still exist.
        """
        say("Teardown ...")
        code = 6
        try:
            code = self._delete()
        finally:
            if code == 6:
                say("NOT DELETED, or not confirmed. These resources may still exist, and Azure bills them:")
                say(self.project.by_hand())
        return code

    def _delete(self) -> int:
        end = time.monotonic() + TEARDOWN_HOURS * 3600
        done = self._to_the_end("teardown", "--yes", end=end)
        if done.code == 0 and self._is_gone(end):
            say(_remaining(done.document))
            return 0
        problem = f"`amldeploy teardown` ended with exit code {done.code}{_cause(done.document)}"
        say(f"   NOT OK: {problem}. Output: {done.log}")
        say("   Deleting the endpoint directly ...")
        self._to_the_end("delete-endpoint", self.project.name, end=end)
        if not self._is_gone(end):
            return 6
        say("   deleted, and checked. Role assignments of its identity may remain.")
        return 5

    def _is_gone(self, end: float) -> bool:
        status = self._to_the_end("status", end=end)
        return status.code == 0 and _states(status.document) == ["absent"]

    def _to_the_end(self, command: str, *words: str, end: float) -> Ended:
        left = max(end - time.monotonic(), 60.0)  # one minute at least: a short run is enough to delete
        return self.commands.run_to_the_end(command, "-e", KEY, *words, seconds=left)

    def _run(self, command: str, *words: str, code: int = 0) -> Ended:
        ended = self.commands.run(command, "-e", KEY, *words, seconds=max(self.end - time.monotonic(), 0.0))
        if ended.code != code:
            found = f"`amldeploy {command}` ended with exit code {ended.code}, not {code}"
            raise Unexpected(f"{found}{_cause(ended.document)}. Output: {ended.log}")
        return ended

    def _live(self) -> Live:
        """The slot that has all traffic."""
        slots = [slot for row in _rows(self._run("status").document) for slot in row["slots"]]
        live = [Live(slot["name"], slot["release"]) for slot in slots if slot["traffic"] == 100]
        if len(live) != 1:
            raise Unexpected(f"no slot has all traffic: {[(slot['name'], slot['traffic']) for slot in slots]}")
        return live[0]

    def first_plan(self) -> None:
        """A plan with changes: sign-in, permissions and quota are checked before anything is created."""
        self.project.write_release(1)
        self._run("plan", "--detailed-exitcode", code=2)

    def first_release(self) -> None:
        """A new endpoint; all traffic goes to its first release."""
        self.changes = True
        self._run("apply", "--yes")
        self._first = self._live()

    def nothing_to_do(self) -> None:
        """A second plan has no change."""
        self._run("plan", "--detailed-exitcode")

    def bad_release(self) -> None:
        """The probe refuses a release that answers no request; traffic stays, and the live release answers."""
        self.project.write_release(2, fails=True)
        self._run("apply", "--yes", code=5)
        self._expect(self._first)
        self._run("probe")

    def good_release(self) -> None:
        """All traffic moves to another release in the other slot."""
        self.project.write_release(3)
        self._run("apply", "--yes")
        live = self._live()
        if live.slot == self._first.slot or live.release == self._first.release:
            raise Unexpected(f"traffic is still at {live}")

    def rollback(self) -> None:
        """All traffic moves back to the first release."""
        self._run("rollback", KEY, "--yes")
        self._expect(self._first)

    def _expect(self, live: Live) -> None:
        if (found := self._live()) != live:
            raise Unexpected(f"traffic is at {found}, not at {live}")


Step = tuple[str, Callable[[Run], None]]
"""A title, and what runs."""
STEPS: tuple[Step, ...] = (
    ("a plan", Run.first_plan),
    ("a first release", Run.first_release),
    ("a plan without changes", Run.nothing_to_do),
    ("a bad release, and its rescue", Run.bad_release),
    ("a good release", Run.good_release),
    ("a rollback", Run.rollback),
)


def _cause(document: Json) -> str:
    """The errors in the document of a command."""
    found = document if isinstance(document, dict) else {}
    errors = [found.get("error"), *(outcome.get("error") for outcome in found.get("outcomes", []))]
    return "".join(f": {error['message']}" for error in errors if error)


def _rows(document: Json) -> list[Json]:
    return list(document["endpoints"]) if isinstance(document, dict) and "endpoints" in document else []


def _states(document: Json) -> list[str]:
    return [str(row["state"]) for row in _rows(document)]


def _remaining(document: Json) -> str:
    """What a teardown leaves: registered assets."""
    stays = document.get("stays", []) if isinstance(document, dict) else []
    return "\n".join(["   deleted, and checked.", *(f"   stays in the workspace: {each}" for each in stays)])
