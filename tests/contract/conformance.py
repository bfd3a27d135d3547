"""How the emulator's operations compare with recordings, specifications and clients: the results behind the page.

    python -m tests.contract.conformance CALLED           write conformance_results.yml and docs/conformance.md
    python -m tests.contract.conformance CALLED --check   exit 1 if the page claims more than CALLED shows

CALLED is the file that `pytest --clients CALLED` wrote. Without the folder of recordings and specifications, what was
read from it before stays.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from deploy.emulator.entra.access_tokens import Tokens
from deploy.emulator.http import routes
from deploy.emulator.seed import default_world
from deploy.emulator.wire import request_log
from tests.contract import openapi
from tests.contract.recordings import RECORDINGS, read
from tests.project import ROOT
from tests.unit.emulator.azure import LOCATION, WORKSPACE, Azure

RESULTS = Path(__file__).with_name("conformance_results.yml")
PAGE = ROOT / "docs" / "conformance.md"
_NAMES = {
    "subscriptionId": default_world.SUBSCRIPTION, "resourceGroupName": default_world.GROUP,
    "workspaceName": default_world.WORKSPACE, "location": LOCATION.rpartition("/")[2], "scope": WORKSPACE[1:],
    "roleAssignmentId": f"{WORKSPACE[1:]}/providers/Microsoft.Authorization/roleAssignments/x",
    "roleId": f"{WORKSPACE[1:]}/providers/Microsoft.Authorization/roleDefinitions/x",
}  # fmt: skip
"""The values of parameters in published paths; any other is `x`."""


@dataclass(frozen=True)
class Results:
    """By operation of the route table: clients, number of recorded exchanges, published ids. Then what has no route."""

    clients: Mapping[str, list[str]]
    recorded: Mapping[str, int]
    published: Mapping[str, list[str]]
    not_emulated: list[str]


def load() -> Results:
    """The committed results."""
    return Results(**yaml.safe_load(RESULTS.read_text(encoding="utf-8")))


def recorded() -> dict[str, int]:
    """Operation -> number of exchanges in the recordings. `NotEmulated` counts those that no route answers."""
    exchanges = [each for file in RECORDINGS.glob("*.json") for each in read(file)]
    found = (routes.find(each.method, each.path.partition("?")[0], {}) for each in exchanges)
    return dict(sorted(Counter(match[0].name if match else "NotEmulated" for match in found).items()))


def published() -> tuple[dict[str, list[str]], list[str]]:
    """Operation -> the published ids that it answers; and the published ids that the emulator does not answer.

    Each published operation is sent once, without a useful body: the note in the request log shows whether it is
    emulated. An operation with the same name in the route table is emulated, too (registries have another address).
    """
    answers: dict[str, set[str]] = {}
    names = {route.name for route in routes.ROUTES}
    with tempfile.TemporaryDirectory() as folder:
        azure = Azure(Path(folder), Tokens(Path(folder)))
        for identifier, (method, path) in openapi.published().items():
            address = re.sub(r"\{(\w+)\}", lambda found: _NAMES.get(found[1], "x"), path)
            azure.send(method, address, {} if method != "GET" else None)
            row = request_log.read(azure.world)[-1]
            if identifier in names:
                answers.setdefault(identifier, set()).add(identifier)
            elif row["note"] != "not emulated":
                answers.setdefault(str(row["operation"]), set()).add(identifier)
        azure.world.close()
    answered = {operation: sorted(found) for operation, found in sorted(answers.items())}
    return answered, sorted(set(openapi.published()) - {each for found in answered.values() for each in found})


def measure(called: Mapping[str, list[str]]) -> Results:
    """New results; those of absent recordings or specifications are the committed ones."""
    old = load() if RESULTS.exists() else Results({}, {}, {}, [])
    answered = published() if openapi.FOLDER.is_dir() else (old.published, old.not_emulated)
    return Results(called, recorded() if RECORDINGS.is_dir() else old.recorded, *answered)


def not_shown(results: Results, called: Mapping[str, list[str]]) -> list[str]:
    """What the page claims about clients and a test run does not show."""
    return [
        f"{operation} by {name}"
        for operation, names in results.clients.items()
        for name in names
        if name not in called.get(operation, [])
    ]


def main(file: str, *options: str) -> int:
    from tests.contract import conformance_page

    called = json.loads(Path(file).read_text(encoding="utf-8"))
    if "--check" in options:
        missing = not_shown(load(), called)
        if missing:
            sys.stderr.write(
                f"docs/conformance.md claims calls of clients that no test made: {', '.join(missing)}.\n"
                "Run scripts/conformance, or restore the test.\n"
            )
        return 1 if missing else 0
    results = measure(called)
    text = yaml.safe_dump(asdict(results), sort_keys=False, default_flow_style=None, width=120)
    RESULTS.write_text(f"# Generated by scripts/conformance.\n{text}", encoding="utf-8")
    PAGE.write_text(conformance_page.render(results), encoding="utf-8")
    sys.stdout.write(f"wrote {RESULTS.relative_to(ROOT)} and {PAGE.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
