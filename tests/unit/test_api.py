"""The Python API: each example of docs/python.md, silence, types, errors."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import deploy
from deploy import api, commands, silence
from deploy.errors import Refused, SpecError, UsageError
from tests.project import ROOT, make_project

EXAMPLES = re.findall(
    r"^```python\n(.*?)^```$", (ROOT / "docs/python.md").read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
)
FUNCTIONS = ("plan", "apply", "status", "invoke", "rollback", "teardown")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in the current folder, with an emulator inside each call."""
    monkeypatch.chdir(make_project(tmp_path))
    return tmp_path


RUNNER = """
import azure.ai.ml, contextlib, io, json, signal, sys  # the SDK first: its log handlers write to stderr

handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
printed = []
for example in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(example, "docs/python.md", "exec"), {})
    printed.append(out.getvalue())
assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
assert type(sys.stdout) is type(sys.stderr) is io.TextIOWrapper
json.dump(printed, sys.stdout)
"""


@pytest.mark.usefixtures("project")
def test_every_example_works() -> None:
    """In their order; each prints the lines of its comments, and the API prints nothing. Signal handlers stay."""
    assert [name for name in FUNCTIONS if not any(f" {name}(" in each for each in EXAMPLES)] == []
    words = [sys.executable, "-c", RUNNER]
    ran = subprocess.run(words, input=json.dumps(EXAMPLES), capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    for example, printed in zip(EXAMPLES, json.loads(ran.stdout), strict=True):
        expected = re.findall(r"^# (.*)$", example, flags=re.MULTILINE)
        assert [line for line in expected if line not in printed.splitlines()] == [], printed


def test_only_the_call_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    """Other threads and functions of the caller print; also after two calls at once, one of which ends first."""
    started, may_end, stdout = threading.Event(), threading.Event(), sys.stdout

    def second_call() -> None:
        with silence.silenced():
            started.set()
            may_end.wait(60)
            print("no")  # noqa: T201

    second = threading.Thread(target=second_call)
    with silence.silenced():
        second.start()
        started.wait(60)
        print("no")  # noqa: T201
        other = threading.Thread(target=print, args=["other thread"])
        other.start()
        other.join()
        with silence.audible():
            print("function of the caller")  # noqa: T201
    print("after the first")  # noqa: T201
    may_end.set()
    second.join()
    assert sys.stdout is stdout
    assert capfd.readouterr().out == "other thread\nfunction of the caller\nafter the first\n"


@pytest.mark.usefixtures("project")
def test_false_from_approve_changes_nothing() -> None:
    """The function gets the plan; then the endpoint does not exist."""
    seen = []
    with pytest.raises(UsageError, match="nothing was changed") as raised:
        deploy.apply("local", approve=lambda plan: bool(seen.append(plan)))
    assert (raised.value.code, raised.value.exit) == ("AML643", deploy.Exit.USAGE)
    assert [bool(plan.steps) for plan in seen] == [True]
    assert [row.state for row in deploy.status("local")] == ["absent"]


def test_errors_have_a_code_and_the_verb_of_the_call(project: Path) -> None:
    """Wrong arguments, invalid files, a refusal; `project` is any folder."""
    with pytest.raises(UsageError) as wrong:
        deploy.plan("local", "nope", project=str(project))
    assert wrong.value.code == "AML641"
    with pytest.raises(Refused, match="cannot roll back traffic/mip"):
        deploy.rollback("local", ["mip"])
    with pytest.raises(OSError, match=r"missing\.plan"):
        deploy.apply(saved="missing.plan")
    (project / "environments/local.yml").write_text("cloud: local\n")
    with pytest.raises(SpecError) as invalid:
        deploy.teardown("local", project=project)
    assert invalid.value.problems


def test_import_is_lazy_and_names_are_exported() -> None:
    """`import deploy` imports none of its packages; `from deploy import X` has every name, and no other."""
    code = (
        "import sys; import deploy; own = [name for name in sys.modules if name.startswith('deploy.')];"
        "print(own + [name for name in ('typer', 'pydantic', 'yaml', 'azure.core') if name in sys.modules]);"
        "print([name for name in deploy.__all__ if not getattr(deploy, name)]); deploy.nothing"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout.splitlines() == ["[]", "[]"], ran.stdout
    assert "AttributeError: module 'deploy' has no attribute 'nothing'" in ran.stderr


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_api_has_the_options_of_the_command(name: str) -> None:
    """Each parameter of the command is one of the API, so that a new option is not forgotten."""
    renamed = {"name": "environment", "only": "endpoints", "key": "endpoint", "emit": "on_event", "plan_file": "saved"}
    own = {"sent": ("image", "text", "request_file"), "show": (), "warn": ()}  # the last two are for the command line
    expected = [
        each
        for parameter in inspect.signature(getattr(commands, name)).parameters
        for each in own.get(parameter, (renamed.get(parameter, parameter),))
    ]
    assert sorted(inspect.signature(getattr(deploy, name)).parameters) == sorted(expected)


def test_type_checkers_see_the_api() -> None:
    """What they read is what is exported: the imports for type checking name each name, and the API has it."""
    tree = ast.parse(Path(deploy.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    (imports,) = block.body
    assert isinstance(imports, ast.ImportFrom)
    assert [each.name for each in imports.names] == deploy.__all__ == api.__all__
    assert {name for name in api.__all__ if "return" in getattr(getattr(api, name), "__annotations__", {})} == {
        *FUNCTIONS
    }
