"""A client in a process of its own, which has yet to import everything: applies one project and says how it ended."""

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
