"""The exception of a container's log: the first of its chain, with file and line, whatever surrounds it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.diagnosis.diagnose import diagnose
from deploy.diagnosis.root_cause import LONGEST, of_containers, root_cause

LINKS = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
ARBITER = "/opt/miniconda/lib/python3.10/site-packages/gunicorn/arbiter.py"
SERVER = "/opt/miniconda/lib/python3.10/site-packages/azureml_inference_server_http/server/user_script.py"


def raised(text: str, *frames: tuple[str, int]) -> list[str]:
    """A traceback as Python prints it."""
    lines = ["Traceback (most recent call last):"]
    for file, line in frames:
        lines += [f'  File "{file}", line {line}, in init', "    load()", "    ~~~~^^"]
    return [*lines, text]


def chain(link: str, *tracebacks: list[str]) -> str:
    return f"\n\n{link}\n\n".join("\n".join(each) for each in tracebacks)


KEY, BROKEN = raised("KeyError: 'weights'", ("score.py", 3)), raised("RuntimeError: no model", ("score.py", 5))
WRAPPED = raised("server.user_script.UserScriptException: Caught an unhandled exception", (SERVER, 121))
AFTER = raised("SystemExit: 3", (ARBITER, 589))
ROOT = "KeyError: 'weights' (score.py, line 3)"


@pytest.mark.parametrize("link", LINKS)
def test_the_first_exception_of_a_chain_is_the_cause(link: str) -> None:
    """What it led to in the user's code follows; the wrappers of the server do not."""
    assert (
        root_cause(chain(link, KEY, BROKEN, WRAPPED))
        == f"{ROOT}, which led to RuntimeError: no model (score.py, line 5)"
    )
    assert root_cause(chain(link, KEY, WRAPPED)) == ROOT


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("\n".join([*KEY, "2026 I [7] gunicorn.error - Worker exiting", *AFTER]), ROOT),
        ("\n".join([*BROKEN, "Worker failed to boot.", *KEY]), ROOT),
        ("\n".join(f"[rank0]: {line}" for line in KEY), ROOT),
        ("\n".join(f"  | {line}" for line in KEY), ROOT),
        ("\n".join(f"2026-11-30T06:10:49.{n}Z stderr F {line}" for n, line in enumerate(KEY)), ROOT),
        ("\n".join(["2026 E [7] azmlinfsrv - Encountered Exception " + KEY[0], *KEY[1:]]), ROOT),
        ("\n".join(KEY[1:]), ROOT),
        ("\n".join(raised("ValueError", ("score.py", 3), (SERVER, 9))), "ValueError (score.py, line 3)"),
        ("\n".join(raised("ValueError: x", (SERVER, 9))), f"ValueError: x ({SERVER}, line 9)"),
        ("\n".join(AFTER), f"SystemExit: 3 ({ARBITER}, line 589)"),
        ("starting\nImportError: No module named 'monai'\nexit", "ImportError: No module named 'monai'"),
        ("INFO loading weights\nError: none", ""),
        ('  File "score.py", line 3, in init\n', ""),
        ('  File "score.py", line 3, in init\n2026-11-30 I [7] Worker exiting', ""),
        ("", ""),
    ],
)  # fmt: skip
def test_each_form_of_a_log(log: str, expected: str) -> None:
    """With other lines around it, with prefixes, without the start of the traceback, and without a traceback."""
    assert root_cause(log) == expected


SCRIPT = """
def load():
    return {{}}["weights"]
def init():
    try:
        load()
    except KeyError{bound}:
        {after}
init()
"""


@pytest.mark.parametrize(
    ("bound", "after"),
    [(" as error", "raise RuntimeError('no model') from error"), ("", "raise RuntimeError('no model')")],
)  # fmt: skip
def test_what_python_prints_is_understood(tmp_path: Path, bound: str, after: str) -> None:
    """The text of this interpreter, for both kinds of chain."""
    script = tmp_path / "score.py"
    script.write_text(SCRIPT.format(bound=bound, after=after))
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    found = root_cause(ended.stderr)
    assert found.startswith(
        f"KeyError: 'weights' ({script}, line 3), which led to RuntimeError: no model ({script}, line 8"
    )


def test_the_container_that_ran_last_counts() -> None:
    """The storage initializer ends before the server starts."""
    assert of_containers(["\n".join(BROKEN), "\n".join(KEY)]) == ROOT
    assert of_containers(["\n".join(KEY), "INFO ready"]) == ROOT


def test_a_cause_that_azure_names_needs_no_exception() -> None:
    """Logs may be those of the release before."""
    logs = {"InferenceServer": "\n".join(KEY)}
    assert diagnose("AML340", "x", logs).root_cause == ROOT
    assert diagnose("AML310", "x", logs).root_cause == ""


pieces = st.sampled_from(
    [*KEY, *BROKEN, *WRAPPED, *LINKS, "", "  |", "INFO ready", '  File "', "a: b", "[Previous line rep"]
)


@given(st.lists(pieces | st.text(max_size=20), max_size=30))
def test_any_log_has_one_line_or_none(lines: list[str]) -> None:
    """Of limited length; and the last exception is found after whatever comes before."""
    found = root_cause("\n".join(lines))
    assert "\n" not in found
    assert len(found) <= 2 * LONGEST + len(", which led to ")
    assert root_cause("\n".join([*lines, "INFO ready", *KEY])).startswith(
        ("KeyError: 'weights' (score.py, line 3)",)
    ) or any(link in line for line in lines for link in LINKS)
