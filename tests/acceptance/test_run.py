"""`scripts/acceptance` from its start to its end, with an emulator in the role of Azure."""

from __future__ import annotations

import contextlib
import io
import json
import re
import signal
import stat
import time
from collections.abc import Callable, Iterator

import pytest

from deploy import emulator
from deploy.emulator.http import server
from scripts.acceptance_run.__main__ import main
from scripts.acceptance_run.run import STEPS, Run
from tests.acceptance.altered import CHANGES, ROWS, Altered
from tests.acceptance.stage import GROUP, OTHER, SUBSCRIPTION, WORKSPACE, Ended, Stage, azure, read_until
from tests.contract.own_code import needs_server
from tests.fork_server import ForkServer

REFUSED = {
    "kind": "refuse", "operation": "OnlineEndpoints_CreateOrUpdate", "status": 400, "code": "BadArgument",
    "message": "This name is odd.", "times": "always", "effect": True,
}  # fmt: skip
"""The first release fails, but the endpoint is created."""
DENIED = {"kind": "refuse", "status": 403, "code": "AuthorizationFailed", "message": "No.", "times": "always"}
STUCK = {"kind": "operation_stuck", "operation": "OnlineEndpoints_CreateOrUpdate", "seconds": 3000}

pytestmark = needs_server


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory, amldeploy: ForkServer, request: pytest.FixtureRequest
) -> Iterator[Stage]:
    """All steps need half a minute, so by default a run ends after the first release."""
    steps = len(STEPS) if request.config.getoption("--laws") == "full" else 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "Emulator", Altered)
        with azure(tmp_path_factory.mktemp("sandbox"), amldeploy, steps) as found:
            yield found


@pytest.fixture(scope="module")
def whole(stage: Stage) -> Ended:
    """A run in which every step ends as it must, in an Azure that answers differently from the emulator."""
    stage.begin()
    Altered.on |= CHANGES.keys()
    ended = stage.run("--yes")
    Altered.on.clear()
    return ended


def test_a_run_passes_every_step_and_leaves_nothing(stage: Stage, whole: Ended) -> None:
    """Only the endpoint that existed before is still there."""
    assert whole.code == 0, whole.messages
    assert whole.messages.count("   ok, ") == stage.steps
    assert "deleted, and checked" in whole.messages
    assert stage.endpoints() == [OTHER]


def test_every_difference_is_found_and_no_other(whole: Ended) -> None:
    """What was changed on purpose, and nothing else: apart from it the emulator answers like itself."""
    found = {line.strip("| ") for line in whole.table.splitlines() if re.match(r"\| \w+_", line)}
    assert {row for row in found if not row.startswith(tuple(ROWS))} == set()
    assert {start for start in ROWS if not any(row.startswith(start) for row in found)} == set()
    assert int(whole.table.split()[0]) > 40
    assert whole.folder
    assert (whole.folder / "recording.md").read_text(encoding="utf-8") == whole.table


def test_the_recording_has_no_names_and_no_keys(whole: Ended) -> None:
    """Neither of the user's resources nor of another endpoint in the workspace; only the owner can read it."""
    text = whole.recording + whole.table
    found = [word for word in (SUBSCRIPTION, GROUP, WORKSPACE, OTHER, "Northwind", "eyJ") if word in text]
    assert found == []
    assert "missing" not in [key for line in whole.recording.splitlines() for key in json.loads(line)]
    assert whole.folder
    assert stat.S_IMODE((whole.folder / "recording.jsonl").stat().st_mode) == 0o600


def test_it_can_be_compared_again(whole: Ended, stage: Stage) -> None:
    """`--replay` needs only the recording, which may end in the middle of a line."""
    assert whole.folder
    part = stage.root / "part.jsonl"
    part.write_text("\n".join(whole.recording.splitlines()[:30]) + '\n{"started": 1, "requ', encoding="utf-8")
    assert main(["--replay", str(part)], root=stage.root, profile="quick") == 0
    written = part.with_suffix(".md").read_text(encoding="utf-8")
    assert "1 left out" in written
    assert written.count("| ") > 4


def interrupted(stage: Stage, number: signal.Signals = signal.SIGINT) -> None:
    """In the middle of an operation it is torn down; a second signal does not end the teardown."""
    stage.begin(STUCK)
    with stage.open("--yes") as process:
        stage.wait_for("OnlineEndpoints_CreateOrUpdate")
        process.send_signal(number)
        messages = read_until(process, "Teardown")
        process.send_signal(number)
        emulator.clock(stage.state, advance=3600)
        ended = stage.end(process, messages)
    assert ended.code == 128 + number, ended.messages
    assert stage.endpoints() == [OTHER]


def terminated(stage: Stage) -> None:
    """The same with SIGTERM."""
    interrupted(stage, signal.SIGTERM)


def teardown_fails(stage: Stage) -> None:
    """It prints what is left, with the commands that delete it. The message about the step has Azure's reason, and the
    table is printed.
    """
    stage.begin(REFUSED, {**DENIED, "operation": "OnlineEndpoints_Delete"})
    ended = stage.run("--yes")
    assert ended.code == 6
    (name,) = set(stage.endpoints()) - {OTHER}
    step, _, after = ended.messages.partition("NOT DELETED")
    assert "This name is odd." in step
    assert f"/workspaces/{WORKSPACE}/onlineEndpoints/{name}\n" in after
    assert f"az ml online-endpoint delete --yes --name {name} --workspace-name {WORKSPACE}" in after
    assert "amldeploy teardown -e acceptance --yes" in after
    assert "| OnlineEndpoints_CreateOrUpdate | status | 400 | 201 |" in ended.table


def teardown_of_a_contributor(stage: Stage) -> None:
    """It cannot delete the role assignments that Azure made for the endpoint: the endpoint is deleted directly."""
    stage.begin(REFUSED, {**DENIED, "operation": "RoleAssignments_Delete"})
    ended = stage.run("--yes")
    assert ended.code == 5
    assert "`amldeploy teardown` ended with exit code 5: cannot delete" in ended.messages
    assert "Deleting the endpoint directly ...\n   deleted, and checked." in ended.messages
    assert stage.endpoints() == [OTHER]


def too_slow(stage: Stage) -> None:
    """The time limit ends it in the middle of an operation; the teardown has time of its own."""

    def hurry(run: Run) -> None:
        run.end = time.monotonic() + 0.5

    stage.begin({**STUCK, "seconds": 2})
    steps, told = (STEPS[0], ("the time is almost up", hurry), STEPS[1]), io.StringIO()
    with contextlib.redirect_stderr(told):
        code = main(
            ["-e", "sandbox", "--yes"], root=stage.root, program=[str(stage.program)], profile="quick", steps=steps
        )
    assert code == 5
    assert "The time limit is reached." in told.getvalue()
    assert "deleted, and checked" in told.getvalue()
    assert stage.endpoints() == [OTHER]


SOME = (interrupted,)
ENDS = (*SOME, terminated, teardown_fails, teardown_of_a_contributor, too_slow)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`--laws full`: every end of a run."""
    if "end" in metafunc.fixturenames:
        full = metafunc.config.getoption("--laws", default="some") == "full"
        metafunc.parametrize("end", ENDS if full else SOME, ids=lambda each: each.__name__)


def test_however_a_run_ends_it_is_torn_down(stage: Stage, end: Callable[[Stage], None]) -> None:
    """Or it prints what is left."""
    end(stage)


def test_a_plan_that_is_refused_creates_nothing(stage: Stage) -> None:
    """Then there is no teardown."""
    stage.begin({"kind": "unauthorized", "times": "always"})
    ended = stage.run("--yes")
    assert ended.code == 5
    assert "Teardown" not in ended.messages
    assert not [row for row in emulator.requests(stage.state) if row["mutating"]]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 64, "use --yes"),
        (("--yes", "--price", "1.5", "--max-hours", "4"), 4, "can cost 13.50, more than --max-cost 5.00"),
        (("--yes", "--price", "nan"), 4, "--price must be a number"),
        (("--yes", "--max-hours", "-1"), 4, "--max-hours must be a number"),
        (("--yes", "--instance-type", "{a: b}"), 64, "not the name of a VM size"),
    ],
)
def test_nothing_is_started(
    stage: Stage, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, message: str
) -> None:
    """Without a confirmation, above the cost cap, and with invalid options."""
    stage.begin()
    before = sorted((stage.state / "acceptance").glob("*"))
    try:
        ended = main(["-e", "sandbox", *words], root=stage.root, program=["false"])
    except SystemExit as left:
        ended = int(left.code or 0)
    assert ended == code
    assert message in capsys.readouterr().err
    assert emulator.requests(stage.state) == []
    assert sorted((stage.state / "acceptance").glob("*")) == before


def test_an_invalid_environment_file_is_refused(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """With its place in the file."""
    (stage.root / "environments" / "wrong.yml").write_text("cloud: local\n", encoding="utf-8")
    assert main(["-e", "wrong", "--yes"], root=stage.root, program=["false"]) == 3
    assert "environments/wrong.yml:1:1" in capsys.readouterr().err
