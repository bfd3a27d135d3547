"""The inputs of the medical templates, and the judgement of a probe about answers to them, in this process.

It is what the step type `probe` does with the answers of an endpoint: the sample must be well-formed and plausible, and
the cases must not fail, also in comparison with the live deployment.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.wrong_answers.inputs import Input
from benchmarks.wrong_answers.kinds import EMBEDDING, SECONDS
from deploy import commands, probes
from deploy.probes import cases, plausibility

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLE = "sample"


@dataclass(frozen=True)
class Verdict:
    """Why answers are wrong; "" if that was not found. `by_cases` is "" if the sample was found to be wrong before."""

    by_plausibility: str = ""
    by_cases: str = ""

    @property
    def caught(self) -> bool:
        return bool(self.by_plausibility or self.by_cases)


@dataclass(frozen=True)
class Template:
    """A medical template as a user has it, rendered for the emulator. `inputs` begins with the sample of the probe."""

    probe: Mapping[str, Any]
    folder: Path
    cases: tuple[tuple[cases.Case, cases.Prepared], ...]
    inputs: tuple[Input, ...]
    live: dict[str, cases.Result] = field(default_factory=dict)
    """What the live deployment answers: the right answers. Filled when a case is judged."""

    def judge(self, answer: Callable[[Input], bytes], seconds: float = SECONDS) -> Verdict:
        """The verdict about a deployment with these answers. The first one that is found to be wrong is enough."""
        sample = answer(self.inputs[0])
        if problem := self._implausible(sample):
            return Verdict(problem)
        found: list[cases.Result] = []
        for (named, ready), given in zip(self.cases, self.inputs[1:], strict=True):
            body = answer(given)
            if given.name not in self.live:
                right = given.pack(given.answer)
                self.live[given.name] = cases.run(named, ready, lambda _, right=right: (200, right, SECONDS))
            found.append(cases.run(named, ready, lambda _, body=body: (200, body, seconds)))
            asked = [each for each, _ in self.cases[: len(found)]]
            failed = cases.failures(asked, found, self.live, datetime.now(UTC).date())
            if any(not each.waiver for each in failed):
                return Verdict(by_cases=f"{failed[0].name}: {failed[0].words}")
        # `check` of the other types refuses nothing more than this, and draws pictures, which takes long.
        if self.probe["type"] in EMBEDDING:
            try:
                probes.find(str(self.probe["type"])).check(self.probe, self.folder, 200, sample)
            except probes.WrongAnswer as wrong:
                return Verdict(wrong.reason)
        return Verdict()

    def _implausible(self, body: bytes) -> str:
        try:
            seen = probes.find(str(self.probe["type"])).values(self.probe, self.folder, 200, body)
            plausibility.check(seen, self.probe.get("plausible"))
        except probes.WrongAnswer as wrong:
            return wrong.reason
        return ""


_OPEN = ExitStack()
"""Closed at the end of the process: the folders with the converted inputs of cases."""


@cache
def template(name: str) -> Template:
    """A shipped template with its default values, and what the stand-in answers."""
    project = Path(_OPEN.enter_context(tempfile.TemporaryDirectory(prefix="amldeploy-")))
    write_project(project, name)
    [spec] = commands.validate(commands.Project(project), "local")[1]
    probe = spec.pipeline.probe.model_dump(mode="json") if spec.pipeline.probe else {}
    folder = project / spec.folder
    requests = [(SAMPLE, probes.find(str(probe["type"])).request(probe, folder))]
    prepared = []
    for named in spec.cases:
        ready = _OPEN.enter_context(cases.prepared(named, probe, folder))
        prepared.append((named, ready))
        requests.append((cases.case_name(named), ready.requests[0][1]))
    decoded = [json.loads(request) for _, request in requests]
    inputs = []
    for number, (title, _) in enumerate(requests):
        others = tuple(other for other in decoded if other != decoded[number])
        inputs.append(Input(name, title, number, decoded[number], others, decoded[number - 1] if number else None))
    return Template(probe, folder, tuple(prepared), tuple(inputs))


def write_project(folder: Path, name: str, **values: Any) -> None:
    """A project with one endpoint of a shipped template, for the emulator."""
    (folder / "environments").mkdir()
    (folder / "templates").symlink_to(ROOT / "templates")
    write_environment(folder, name, **values)


def write_environment(folder: Path, name: str, **values: Any) -> None:
    """The environment `local` of the project."""
    body = {
        "cloud": "local",
        "subscription_id": "00000000-0000-0000-0000-000000000001",
        "resource_group": "rg-local",
        "workspace": "mlw-local",
        "endpoints": {"one": {"template": name, "values": {"name": "one", **values}}},
    }
    (folder / "environments" / "local.yml").write_text(json.dumps(body), encoding="utf-8")
