"""What holds for every test: it is tried as often on a busy machine as on an idle one, and it says no secret."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests import fork_server
from tests.contract import clients
from tests.fork_server import ForkServer
from tests.project import CANARY, canary_in

os.environ["AMLDEPLOY_EMULATOR"] = "embedded"
"""A command of a test leaves no process behind. Tests of emulators in the background start their own."""
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--laws full`: many more cases of each law, which takes long. `--clients`: for the page of conformance."""
    parser.addoption("--clients", metavar="FILE", help="Write which clients called which operations, as JSON.")
    parser.addoption("--laws", choices=("some", "full"), default="some", help="How many of the laws' cases to play.")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest test first, so that no worker is left alone with it."""
    items.sort(key=lambda item: not item.name.startswith("test_weeks"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """A test that passed has failed after all when the canary stands in what it printed or in a report that it left."""
    report = yield
    found = [title for title, text in report.sections if CANARY in text]
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    found += canary_in(folder) if folder and report.when == "call" else []
    if report.passed and found:
        report.outcome, report.longrepr = "failed", f"A secret was said: {', '.join(found)}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests recorded with `record_property`, such as counts; with xdist, too."""
    for report in (*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{report.nodeid}: {name}: {value}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Read the request logs of all worlds below the folder of temporary files, once for all workers."""
    file = session.config.getoption("--clients")
    if file and not hasattr(session.config, "workerinput"):
        clients.write(Path(file), session.config._tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def amldeploy() -> Iterator[ForkServer]:
    """Runs `amldeploy` in processes that start at once."""
    with tempfile.TemporaryDirectory(prefix="amldeploy-") as folder, fork_server.serve(Path(folder)) as found:
        yield found
