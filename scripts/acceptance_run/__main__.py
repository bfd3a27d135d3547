"""The command line of `scripts/acceptance`."""

from __future__ import annotations

import argparse
import json
import re
import secrets
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from deploy.errors import SpecError
from scripts.acceptance_run import record
from scripts.acceptance_run.budget import Refused, budget, explained
from scripts.acceptance_run.commands import Commands, say
from scripts.acceptance_run.compare import table
from scripts.acceptance_run.project import Project, create
from scripts.acceptance_run.replay import Unusable, replay
from scripts.acceptance_run.run import STEPS, Run, Step

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (sys.executable, "-m", "scripts.acceptance_run.record")
DESCRIPTION = """Try amldeploy in a subscription of your own: deploy, a bad release, a good release, rollback, teardown.
Then compare Azure's answers with the emulator's. docs/acceptance.md describes it."""


def main(
    arguments: Sequence[str],
    root: Path = ROOT,
    program: Sequence[str] = PROGRAM,
    profile: str = "realistic",
    steps: Sequence[Step] = STEPS,
) -> int:
    """Run and return the exit code: 0, 3 or 4 before anything is created, 5 a step did not end as it must,
    6 something may still exist, 64 usage, 128 + the number of a signal.

    `root` has the folder `environments`, `program` starts each command line, `profile` is that of the emulator in a
    replay.
    """
    options = _parser().parse_args(arguments)
    if options.replay:
        return _compare(options.replay, root / ".amldeploy", profile)
    try:
        project = create(root, options.environment)
        free = project.target.cloud == "local"
        limits = budget(price=options.price, max_cost=options.max_cost, max_hours=options.max_hours, free=free)
    except SpecError as wrong:
        say("\n".join(f"{each.place}: {each.cause} {each.cure}" for each in wrong.problems))
        return 3
    except Refused as refused:
        say(f"Not started. {refused}")
        return 4
    at = project.target
    say(f"Creates endpoint {project.name} with two deployments, and deletes them at the end.")
    say(f"Workspace {at.workspace}, resource group {at.resource_group}, subscription {at.subscription_id}, {at.cloud}.")
    say(explained(limits, options.price, options.instance_type, options.max_cost))
    say("If this machine stops before the teardown, delete these yourself:\n" + project.by_hand())
    if not (options.yes or _confirmed()):
        say("Not started. Type yes, or use --yes.")
        return 64
    project.write(options.instance_type)
    folder = project.folder.parent
    code, recording = _run(project, folder, limits.seconds, program, steps)
    if code <= 128 and recording.exists():
        compared = _compare(recording, folder, profile)
        return code or compared
    return code


def _run(
    project: Project, folder: Path, seconds: float, program: Sequence[str], steps: Sequence[Step]
) -> tuple[int, Path]:
    """The steps and the teardown; returns the exit code and the recording."""
    recording = folder / "recording.jsonl"
    settings = {"file": str(recording), "salt": secrets.token_hex(16), "endpoint": project.name}
    (folder / "output").mkdir()
    variables = {record.VARIABLE: json.dumps(settings), "PYTHONPATH": str(ROOT)}
    commands = Commands(program, project.folder, folder / "output", variables)
    say(f"Output of each command: {folder / 'output'}")
    with commands.signals():
        run, code, torn_down = Run(project, commands, seconds), 5, 0
        try:
            code = run.play(steps)
        finally:
            torn_down = run.teardown() if run.changes else 0
    say(f"Recorded: {recording}")
    return (6 if torn_down == 6 else code or torn_down), recording


def _compare(recording: Path, folder: Path, profile: str) -> int:
    """Replay a recording, print the table, and write it beside the recording."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="replay-") as state:
        try:
            found = replay(recording, Path(state), profile)
        except Unusable as problem:
            say(f"The recording cannot be replayed: {problem}")
            return 3
    text = table(found.rows, found.summary)
    recording.with_suffix(".md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    say(f"The table: {recording.with_suffix('.md')}")
    return 0


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stderr.write("Type yes to start: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() == "yes"


def _size(text: str) -> str:
    if not re.fullmatch(r"\w{1,60}", text):
        raise argparse.ArgumentTypeError("not the name of a VM size")
    return text


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(64, f"{self.prog}: {message}. See --help.\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="scripts/acceptance", description=DESCRIPTION)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("-e", "--environment", metavar="NAME", help="file in environments/, without .yml")
    what.add_argument("--replay", type=Path, metavar="FILE", help="only compare a recording with the emulator")
    parser.add_argument("--yes", action="store_true", help="skip the confirmation")
    parser.add_argument(
        "--instance-type", type=_size, default="Standard_DS2_v2", metavar="SIZE", help="default: %(default)s"
    )
    parser.add_argument("--price", type=float, help="price of one instance per hour, in your currency")
    parser.add_argument(
        "--max-cost", type=float, default=5.0, metavar="COST", help="default: %(default)g; needs --price"
    )
    parser.add_argument(
        "--max-hours", type=float, metavar="HOURS", help="time limit of the steps; default with --price: 2"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
