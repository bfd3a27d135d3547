"""How commands are called and left: what every command of the street door shares. What is said leaves through `speech`.

stdout carries the result and nothing else; progress and questions go to stderr. Libraries that print on their own (the
SDK's dots and notices) print into a sink while a verb runs. The commands are imported when the first one is called:
`--help` is quick.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import typer

from deploy.cli import github_actions, signals
from deploy.cli.console import is_interactive, is_plain, page, say, show
from deploy.errors import DeployError, Exit, Place, Problem, Refused, SpecError, UsageError

if TYPE_CHECKING:
    from deploy.commands import Done
    from deploy.domain.plan import Plan

T = TypeVar("T")
_WRONG_WORDS: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""Whatever typer raises about a command line; whether it brings its own click depends on its version."""


class Output(StrEnum):
    """Forms of the result."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


class TextOrJson(StrEnum):
    """Forms of a result that has no Markdown."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True)
class Asked:
    """What was typed of a verb that carries out a plan."""

    verb: str
    environment: str | None
    endpoints: Sequence[str]
    yes: bool
    events: Path | None
    goes_on: bool = False
    """Whether it is the next of several, whose events stand in one file."""

    @property
    def words(self) -> str:
        """The verb as somebody does it."""
        return {"teardown": "tear down", "rollback": "roll back"}.get(self.verb, self.verb)


def call(work: Callable[[ModuleType, Any], T]) -> T:
    """A verb's result; what libraries print meanwhile goes nowhere."""
    from deploy import commands

    project = commands.Project(secret=github_actions.masker(sys.stderr))
    with _hushed():
        return work(commands, project)


def emulator(work: Callable[[ModuleType], T]) -> T:
    """A word with the emulator."""
    from deploy import emulator

    try:
        return work(emulator)
    except emulator.MissingExtra as error:
        cure = 'Install it: pip install "amldeploy[local]"'
        raise UsageError("open the emulator", str(error), cure, code="AML640") from error
    except emulator.WrongFile as wrong:
        raise SpecError(
            Problem(Place(wrong.file, t.line, t.column), "AML150", t.words) for t in wrong.troubles
        ) from wrong
    except emulator.Unopened as error:
        raise UsageError("open the emulator's world", error.why, error.cure, code="AML645") from error
    except RuntimeError as error:  # its own words say what could not be done, and what to do
        raise UsageError("use the emulator", str(error).partition(": ")[2] or str(error), code="AML632") from error


def carry(asked: Asked, work: Callable[[ModuleType, dict[str, Any]], T]) -> T:
    """The result of a verb that carries out a plan, watched and asked about on stderr."""
    from deploy import commands
    from deploy.execution import progress

    err = sys.stderr or io.StringIO()
    ask = _Question(asked, err)
    drawn = {"interactive": is_interactive(err), "plain": is_plain(err)}
    with progress.open_progress(err, **drawn, events=asked.events, goes_on=asked.goes_on) as emit, _hushed():
        project = commands.Project(secret=github_actions.masker(err))
        ways = {"project": project, "name": asked.environment, "only": asked.endpoints, "emit": emit}
        try:
            return work(commands, ways if asked.verb == "probe" else {**ways, "approve": ask})
        except Refused as refused:
            raise Refused(refused.findings, asked.words) from refused


def finish(done: Done, form: str, asked: Asked) -> None:
    """Print what became of a plan and leave with its code, also when it cannot be printed."""
    from deploy import reporter

    told = {"notices": list(done.notices), "failed_notices": list(done.failed)} if done.notices or done.failed else {}
    told |= {"ok": False} if done.failed else {}
    told |= {"traffic": done.traffic} if done.traffic else {}
    told |= {"stays": list(done.plan.stays)} if done.plan.stays else {}
    forms: dict[str, Callable[[], str]] = {
        "json": lambda: json.dumps({**reporter.report_json(done.report), **told}, indent=2),
        "markdown": lambda: reporter.report_markdown(done.report, done.plan),
        "text": lambda: _in_words(done),
    }
    show(forms[form](), done=True)
    github_actions.done(done.plan, done.report, done.rows)
    for note in (*done.plan.notes, *done.idle):
        say(f"Note: {note}")
    for each in done.plan.held:
        say(f"{reporter.HELD_BACK}: {reporter.held_back(each)}")
    if done.report.stopped:
        say(signals.words(asked.verb, done.plan.environment, asked.endpoints))
        for line in reporter.interruption_notes(asked.verb, done.plan, done.traffic):
            say(line)
    for words in (*done.failed, *([done.unkept] if done.unkept else ())):
        say(words)
    raise SystemExit(done.exit)


def plan_as(plan: Plan, form: str, hint: str) -> str:
    """A plan in the form asked for; `hint` is what to type next."""
    from deploy import reporter

    forms: dict[str, Callable[[], str]] = {
        "json": lambda: json.dumps(reporter.plan_json(plan), indent=2),
        "markdown": lambda: reporter.plan_markdown(plan),
        "text": lambda: reporter.plan_text(plan, **page(sys.stdout), hint=hint),
    }
    return forms[form]()


def needs_yes(environment: str) -> bool:
    """Whether a command that changes this environment would ask, and nobody could answer."""
    return not can_ask() and call(lambda commands, project: bool(commands.asks(project, environment)))


def can_ask() -> bool:
    """Whether there is a terminal to answer a question on."""
    return sys.stdin is not None and sys.stdin.isatty()


def leave(work: Callable[[], object]) -> int:
    """Run a command; every failure in words, every end with its exit code."""
    try:
        work()
    except DeployError as error:
        return explain(error)
    except typer.Exit as left:
        return left.exit_code
    except _WRONG_WORDS as wrong:
        where = getattr(getattr(wrong, "ctx", None), "command_path", "amldeploy")
        return explain(
            UsageError("read the command line", wrong.format_message(), f"See {where} --help", code="AML648")
        )
    except (typer.Abort, KeyboardInterrupt) as stop:
        say(signals.words(next(iter(sys.argv[1:]), ""), _typed("-e", "--environment")))
        return signals.code(stop)
    except OSError as error:
        return explain(UsageError("go on", str(error), "See that the path is right and may be written", code="AML649"))
    except Exception:  # noqa: BLE001 the last word about a bug
        traceback.print_exc()
        say("This is a bug in amldeploy, not in your files. Please report it with the lines above.")
        return Exit.BUG
    return Exit.OK


def explain(error: DeployError, *, told: bool = False) -> int:
    """A failure in words; its exit code. `told`: the result that was shown says it too."""
    from deploy import reporter

    forms = {"json": lambda e: json.dumps(reporter.error_json(e), indent=2), "markdown": reporter.error_markdown}
    if (form := forms.get(_typed("-o", "--output"))) and not told:
        show(form(error), done=True)
    say(reporter.error_text(error, **page(sys.stderr)).rstrip("\n"))
    github_actions.failed(error, _typed("-e", "--environment"))
    return error.exit


def _typed(short: str, long: str) -> str:
    """What was typed behind an option, before anybody has read the command line; empty if it was not."""
    for word, after in pairwise([*sys.argv, ""]):
        if word in (short, long):
            return after
        if word.startswith((short, f"{long}=")):
            return word.removeprefix(f"{long}=").removeprefix(short)
    return ""


def _in_words(done: Done) -> str:
    from deploy import reporter

    how = page(sys.stdout)
    parts = [reporter.report_text(done.report, done.plan, **how)]
    parts += [reporter.status_text(done.rows, **how)] if done.rows else []
    parts += ["\n".join(f"Kept: {path}" for path in done.files)] if done.files else []
    return "\n\n".join(part.rstrip("\n") for part in parts)


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    sink = io.StringIO()
    with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
        yield


class _Question:
    """Shows a plan and asks for `yes`; knows when there is nobody to ask."""

    def __init__(self, asked: Asked, err: TextIO) -> None:
        self.asked, self.err = asked, err

    def __call__(self, plan: Plan, needed: bool) -> None:
        from deploy import reporter

        github_actions.mask(reporter.plan_secrets(plan), self.err)
        if plan.steps:
            self.err.write(reporter.plan_text(plan, **page(self.err)).rstrip("\n") + "\n")
        if self.asked.yes or not needed or not plan.steps:
            return
        what = f"{self.asked.words} {plan.environment}"
        if not can_ask():
            raise UsageError(what, "there is no terminal to ask on", "Use --yes", code="AML642")
        self.err.write(f"\nType yes to {what}: ")
        self.err.flush()
        if sys.stdin.readline().strip() != "yes":
            raise UsageError(
                what, "you did not say yes, so nothing was changed", "Type yes, or use --yes", code="AML643"
            )
