"""Questions, hints and flags of the command line: --yes is named where it is needed, and nowhere else."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploy import commands
from deploy.cli import app, runner
from deploy.cli.deploy_commands import _apply_command
from deploy.cli.runner import Approval, Invocation
from deploy.commands.keys import Rotation
from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.report import Report
from deploy.errors import Exit, UsageError
from tests.addresses import addr
from tests.project import make_project

PLAN = Plan("prod", (Step(Verb.CREATE, addr("endpoint/mip"), {}, "new"),), endpoints=("mip",))


def typed(*words: str) -> int:
    """The exit code of a command line, carried out in this process."""
    with pytest.raises(SystemExit) as left:
        raise SystemExit(runner.exit_code(lambda: app(list(words), prog_name="amldeploy", standalone_mode=False)))
    return int(left.value.code or 0)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped environments in the working folder, and no terminal."""
    folder = make_project(tmp_path)
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return folder


@pytest.mark.parametrize("yes", [False, True])
@pytest.mark.parametrize("needed", [False, True])
def test_without_a_terminal_the_error_names_the_flag(yes: bool, needed: bool) -> None:
    """Only when a confirmation is required and --yes is missing."""
    ask = Approval(Invocation("teardown", "prod", (), yes=yes, events=None), io.StringIO())
    if yes or not needed:
        ask(PLAN, needed)
        ask(Plan("prod", ()), True)
        return
    with pytest.raises(UsageError, match=r"cannot tear down prod: no terminal .* Use --yes") as asked:
        ask(PLAN, needed)
    assert asked.value.code == "AML642"


class Terminal(io.StringIO):
    """A terminal with an answer."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("answer", ["y", "no", "", "YES"])
def test_any_answer_but_yes_cancels(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the word to type. The word itself goes on."""
    ask = Approval(Invocation("apply", "prod", (), yes=False, events=None), io.StringIO())
    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
    with pytest.raises(UsageError, match=r'cancelled, nothing was changed: you must type "yes"') as cancelled:
        ask(PLAN, True)
    assert cancelled.value.code == "AML643"
    monkeypatch.setattr("sys.stdin", Terminal("yes\n"))
    ask(PLAN, True)


def test_the_hint_is_a_complete_command() -> None:
    """With --yes where apply needs a confirmation and has no terminal. A plan file never needs a flag."""
    allowed = Plan("prod", PLAN.steps, allow_exposure=True)

    assert _apply_command(PLAN, ["mip"], None, needs_yes=False) == "amldeploy apply -e prod mip"
    assert _apply_command(PLAN, [], None, needs_yes=True) == "amldeploy apply -e prod --yes"
    assert _apply_command(allowed, [], None, needs_yes=True) == "amldeploy apply -e prod --allow-exposure --yes"
    assert _apply_command(allowed, [], Path("a.plan"), needs_yes=False) == "amldeploy apply a.plan"


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(("name", "is_asked"), [("prod", True), ("dev", True), ("local", False)])
def test_a_hint_names_the_flag_where_a_command_would_ask(
    name: str, is_asked: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The hint of `plan` and the last line of `import`, without a terminal: --yes, but not for the emulator."""
    monkeypatch.setattr(commands, "plan", lambda *_, **__: Plan(name, PLAN.steps))
    monkeypatch.setattr(
        commands, "import_endpoint", lambda *_, **__: SimpleNamespace(key="mip", files=(), hidden={}, notes=())
    )
    assert typed("plan", "-e", name, "mip") == Exit.OK
    planned = capsys.readouterr().out
    assert typed("import", "-e", name, "--endpoint", "mip-ab") == Exit.OK
    imported = capsys.readouterr().err

    yes = " --yes" if is_asked else ""
    adopt = f"amldeploy import --adopt -e {name} mip"
    for text, command in ((planned, f"amldeploy apply -e {name} mip"), (imported, adopt)):
        (line,) = [line for line in text.splitlines() if command in line]
        assert line.endswith(command + yes)


@pytest.mark.usefixtures("project")
def test_a_hint_names_no_flag_where_there_is_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command asks there."""
    monkeypatch.setattr(commands, "plan", lambda *_, **__: PLAN)
    monkeypatch.setattr(runner, "_can_ask", lambda: True)
    assert typed("plan", "-e", "prod") == Exit.OK
    assert "--yes" not in capsys.readouterr().out


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("flag", ["--allow-rolled-back", "--allow-exposure", "--cleanup"])
def test_flags_of_apply_reach_it(
    flag: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each alone, as typed."""
    got: dict[str, Any] = {}

    def apply(**ways: Any) -> commands.Result:
        got.update(ways)
        return commands.Result(Plan("local", ()), Report("local", "", ()))

    monkeypatch.setattr(commands, "apply", apply)
    assert typed("apply", "-e", "local", "mip", flag) == Exit.OK
    capsys.readouterr()

    flags = ("--allow-rolled-back", "--allow-exposure", "--cleanup")
    assert {each: got[each[2:].replace("-", "_")] for each in flags} == {each: each == flag for each in flags}
    assert (got["name"], got["only"]) == ("local", ["mip"])


@pytest.mark.parametrize(
    ("verb", "traffic", "command"),
    [
        ("apply", {"mip": {"blue": 100}}, "amldeploy rollback -e prod mip"),
        ("apply", {"mip": {"blue": 90, "green": 10}}, "amldeploy rollback -e prod mip"),
        ("apply", {"mip": {}}, ""),
        ("teardown", {"mip": {"blue": 100}}, ""),
        ("rollback", {"mip": {"blue": 100}}, ""),
    ],
    ids=["live", "unfinished", "first release", "teardown", "rollback"],
)
def test_an_interrupted_apply_names_the_command_that_goes_back(
    verb: str, traffic: dict[str, dict[str, int]], command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, below the traffic of each endpoint; where nothing serves there is nothing to go back to."""
    stopped = Report("prod", "", (), stopped=Exit.INTERRUPTED)
    with pytest.raises(SystemExit) as left:
        runner.finish(
            commands.Result(PLAN, stopped, traffic=traffic),
            "text",
            Invocation(verb, "prod", ["mip"], yes=True, events=None),
        )
    out, err = capsys.readouterr()

    assert (left.value.code, "amldeploy rollback" in out) == (Exit.INTERRUPTED, False)
    lines = err.splitlines()
    if command:
        assert lines[-1].endswith(command)
        assert all(f"{slot} {share} %" in lines[-2] for slot, share in traffic["mip"].items())
    else:
        assert "amldeploy" not in lines[-1], "the traffic is last"


@pytest.mark.parametrize(("words", "code"), [((), 64), (("--yes",), 0)])
def test_a_rotation_of_keys_in_azure_asks(
    words: tuple[str, ...], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It first prints which clients fail; without a terminal it names --yes."""

    def rotate(*_: object, approve: Any, **__: object) -> Any:
        approve("rotate the secondary key of mip-1", True)
        return Rotation("mip", "mip-1", "secondary", "primary", other_is_unchanged=True)

    monkeypatch.setattr(runner, "run", lambda work: work(SimpleNamespace(rotate_key=rotate), None))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert typed("keys", "rotate", "-e", "prod", "mip", "--key", "secondary", *words) == code
    printed = capsys.readouterr()
    asked = "AML642 cannot rotate the secondary key of mip-1: no terminal is available" in " ".join(printed.err.split())
    assert asked is ("Clients that use the secondary key must switch" in printed.err) is (code == 64)
    assert ("The secondary key of mip-1 is new" in printed.out) is (code == 0)
