"""A client in a new process that has not imported anything yet: applies one project and prints its exit."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from deploy import commands
from tests.laws.stage import Ahead


def main() -> None:
    project = commands.Project(Path(sys.argv[1]), Ahead())
    done = commands.apply(project, "law", approve=lambda *_: None, emit=lambda _: None)
    codes = [outcome.error["code"] for outcome in done.report.outcomes if outcome.error]
    print(json.dumps([int(done.report.exit), codes]))  # noqa: T201 - the test reads it


if __name__ == "__main__":
    main()
