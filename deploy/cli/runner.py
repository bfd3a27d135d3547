"""Running a command: progress and confirmation on stderr, the result on stdout, every error as text and exit code.

Libraries that print on their own (the SDK's dots and notices) print into a sink while a command runs. `deploy.commands`
is imported when the first command runs, so that `--help` is quick.
"""

from __future__ import annotations

import contextlib
import io
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import typer

from deploy.cli import console, context, github_actions, output, signals
from deploy.cli.options import seconds_of
from deploy.cli.output import View
from deploy.errors import DeployError, Exit, Place, Problem, Refused, SpecError, UsageError

if TYPE_CHECKING:
    from deploy.commands import Result
    from deploy.domain.plan import Plan

T = TypeVar("T")
_CLICK_ERROR: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""The base class of typer's errors about a command line: click's own, or that of a click inside typer."""


@dataclass(frozen=True)
class Invocation:
    """The command line of a command that runs a plan."""

    command: str
    environment: str | None
    arguments: Sequence[str]
    yes: bool
    events: Path | None
    append_events: bool = False
    """Whether the events of an earlier environment are in the same file."""
    lock_timeout: str = "0s"
    """How long to wait for the lock of another run."""

    @property
    def verb(self) -> str:
        """The command in a sentence."""
        return {"teardown": "tear down", "rollback": "roll back"}.get(self.command, self.command)


def run(work: Callable[[ModuleType, Any], T], root: Path | None = None) -> T:
    """The result of `work(deploy.commands, project)`. What libraries print is discarded.

    `root`: the folder of the project; found from the current folder if it is None.
    """
    from deploy import commands

    err = sys.stderr
    project = commands.Project(
        context.project_root() if root is None else root,
        on_secret=github_actions.masker(err),
        on_note=lambda text: print(text, file=err, flush=True),
    )
    with _silenced():
        return work(commands, project)


def run_emulator(work: Callable[[ModuleType], T]) -> T:
    """The result of `work(deploy.emulator)`, with its errors as DeployError."""
    from deploy import emulator

    try:
        return work(emulator)
    except emulator.MissingExtra as error:
        cure = 'Install it: pip install "amldeploy[local]"'
        raise UsageError("open the emulator", str(error), cure, code="AML640") from error
    except emulator.InvalidFile as wrong:
        raise SpecError(
            Problem(Place(wrong.file, t.line, t.column), "AML150", t.message) for t in wrong.problems
        ) from wrong
    except emulator.WorldUnavailable as error:
        raise UsageError("open the emulator's world", error.reason, error.cure, code="AML645") from error
    except RuntimeError as error:  # its message is complete: what failed and how to fix it
        raise UsageError("use the emulator", str(error).partition(": ")[2] or str(error), code="AML632") from error


def run_with_progress(invocation: Invocation, work: Callable[[ModuleType, dict[str, Any]], T]) -> T:
    """The result of `work(deploy.commands, arguments)`, with progress and the confirmation on stderr.

    The arguments are those that all commands share: project, name, only, emit and, except for a probe, approve and
    lock_timeout.
    """
    from deploy import commands
    from deploy.execution import progress
    from deploy.execution.progress import Event, EventKind

    err = sys.stderr or io.StringIO()
    style = {"interactive": console.is_interactive(err), "plain": console.is_ascii_only(err)}
    events, append = invocation.events, invocation.append_events
    with progress.open_progress(err, **style, events=events, append_events=append) as emit, _silenced():
        project = commands.Project(
            context.project_root(),
            on_secret=github_actions.masker(err),
            on_note=lambda text: emit(Event(EventKind.NOTE, text=text)),
        )
        arguments: dict[str, Any] = {"project": project, "name": invocation.environment, "emit": emit}
        arguments["only"] = invocation.arguments
        if invocation.command != "probe":
            arguments |= {"approve": Approval(invocation, err), "lock_timeout": seconds_of(invocation.lock_timeout)}
        try:
            return work(commands, arguments)
        except Refused as refused:
            raise Refused(refused.findings, invocation.verb) from refused


def run_plan_command(
    invocation: Invocation, output_format: str, work: Callable[[ModuleType, dict[str, Any]], Result]
) -> None:
    """Run a command that runs a plan, print its result and exit."""
    finish(run_with_progress(invocation, work), output_format, invocation)


def run_noticing_command(
    invocation: Invocation, output_format: str, work: Callable[[ModuleType, dict[str, Any]], Result]
) -> None:
    """The same for a command that can send notices: its arguments have `show` and `warn`, too."""
    with (
        console.line_printer(on_stderr=output.is_machine_readable(output_format)) as show,
        console.collected_notices() as warn,
    ):
        result = run_with_progress(
            invocation, lambda commands, common: work(commands, {**common, "show": show, "warn": warn})
        )
    finish(result, output_format, invocation)


def finish(result: Result, output_format: str, invocation: Invocation) -> None:
    """Print the result of a plan and exit with its code, also when it cannot be printed."""
    from deploy import reporter

    output.show(_result_view(result), output_format, done=True)
    github_actions.report_result(result.plan, result.report, result.endpoint_rows)
    for note in (*result.plan.notes, *result.idle):
        console.print_message(f"Note: {note}")
    for each in result.plan.held:
        console.print_message(f"{reporter.HELD_BACK}: {reporter.held_back_text(each)}")
    if result.report.stopped:
        console.print_message(signals.message(invocation.command, result.plan.environment, invocation.arguments))
        for line in reporter.interruption_notes(invocation.command, result.plan, result.traffic):
            console.print_message(line)
    for message in (*result.failure_messages, *([result.not_saved] if result.not_saved else ())):
        console.print_message(message)
    raise SystemExit(result.exit)


def _result_view(result: Result) -> View:
    from deploy import reporter

    def document() -> dict[str, Any]:
        body = dict(reporter.report_json(result.report))
        if result.notices or result.failure_messages:
            body |= {"notices": list(result.notices), "failed_notices": list(result.failure_messages)}
        body |= {"ok": False} if result.failure_messages else {}
        body |= {"traffic": result.traffic} if result.traffic else {}
        body |= {"stays": list(result.plan.stays)} if result.plan.stays else {}
        return body

    def text() -> str:
        layout = console.layout(sys.stdout)
        parts = [reporter.report_text(result.report, result.plan, **layout)]
        parts += [reporter.status_text(result.endpoint_rows, **layout)] if result.endpoint_rows else []
        parts += ["\n".join(f"Saved: {path}" for path in result.files)] if result.files else []
        parts += [_how_to_call(result)] if result.codes else []
        return "\n\n".join(part.rstrip("\n") for part in parts)

    return View(text, document, lambda: reporter.report_markdown(result.report, result.plan, result.endpoint_rows))


def _how_to_call(result: Result) -> str:
    """The code for the endpoint that the run created; of several only where to find it."""
    from deploy import reporter

    if len(result.codes) == 1:
        return reporter.call_code(result.codes[0])
    command = f"amldeploy invoke -e {result.plan.environment} KEY"
    return f"Call a model: {command}. Code for curl and Python: {command} --code"


def plan_view(plan: Plan, hint: str, *, full: bool = False) -> View:
    """A plan in each format; `hint` is the command that applies it. `full`: the text cuts and omits nothing."""
    from deploy import reporter

    return View(
        lambda: reporter.plan_text(plan, **console.layout(sys.stdout), hint=hint, full=full),
        lambda: reporter.plan_json(plan),
        lambda: reporter.plan_markdown(plan),
    )


def needs_yes(environment: str) -> bool:
    """Whether a command that changes this environment needs --yes, because stdin is not a terminal."""
    return not _can_ask() and run(lambda commands, project: bool(commands.needs_approval(project, environment)))


def _can_ask() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def exit_code(work: Callable[[], object]) -> int:
    """Run a command and print its error. Returns the exit code."""
    try:
        work()
    except DeployError as error:
        return report_error(error)
    except typer.Exit as left:
        return left.exit_code
    except _CLICK_ERROR as error:
        command = getattr(getattr(error, "ctx", None), "command_path", "amldeploy")
        return report_error(
            UsageError("read the command line", error.format_message(), f"See {command} --help", code="AML648")
        )
    except (typer.Abort, KeyboardInterrupt) as stop:
        console.print_message(signals.message(_command_name(sys.argv[1:]), context.environment_name(sys.argv)))
        return signals.exit_code(stop)
    except OSError as error:
        cure = "Check that the path is correct and that you can write to it"
        return report_error(UsageError("continue", str(error), cure, code="AML649"))
    except Exception:  # noqa: BLE001 a bug is reported, too
        traceback.print_exc()
        console.print_message("This is a bug in amldeploy, not in your files. Please report it with the lines above.")
        return Exit.BUG
    return Exit.OK


def report_error(error: DeployError, *, in_result: bool = False) -> int:
    """Print an error. Returns its exit code. `in_result`: the printed result contains it already."""
    from deploy import reporter

    view = View(lambda: str(error), lambda: reporter.error_json(error), lambda: reporter.error_markdown(error))
    output_format = next(iter(context.option_values(sys.argv, "-o", "--output")), "")
    if output_format in output.ERROR_FORMATS and not in_result:
        output.show(view, output_format, done=True)
    console.print_message(reporter.error_text(error, **console.layout(sys.stderr)).rstrip("\n"))
    for hint in context.hints(error):
        console.print_message(hint)
    github_actions.report_error(error, context.environment_name(sys.argv))
    return error.exit


def _command_name(words: Sequence[str]) -> str:
    """The command of a command line, without global options and the group `lease`; `adopt` for import --adopt."""
    folders = {at + 1 for at, word in enumerate(words) if word == "-C"}
    names = [w for at, w in enumerate(words) if not w.startswith("-") and at not in folders and w != "lease"]
    name = next(iter(names), "")
    return "adopt" if name == "import" and "--adopt" in words else name


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    sink = io.StringIO()
    with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
        yield


class Approval:
    """Shows a plan and asks for `yes`. Raises UsageError for any other answer, and without a terminal."""

    def __init__(self, invocation: Invocation, err: TextIO) -> None:
        self.invocation, self.err = invocation, err

    def __call__(self, plan: Plan, needed: bool) -> None:
        from deploy import reporter

        github_actions.mask(reporter.plan_secrets(plan), self.err)
        if plan.steps:
            self.err.write(reporter.plan_text(plan, **console.layout(self.err)).rstrip("\n") + "\n")
        if self.invocation.yes or not needed or not plan.steps:
            return
        confirm(f"{self.invocation.verb} {plan.environment}", self.err)


def confirm(what: str, err: TextIO) -> None:
    """Ask for `yes`. Raises UsageError for any other answer, and without a terminal."""
    if not _can_ask():
        raise UsageError(what, "no terminal is available for the confirmation", "Use --yes", code="AML642")
    err.write(f"\nType yes to {what}: ")
    err.flush()
    if sys.stdin.readline().strip() != "yes":
        cause = 'cancelled, nothing was changed: you must type "yes"'
        raise UsageError(what, cause, 'Type "yes", or use --yes', code="AML643")
