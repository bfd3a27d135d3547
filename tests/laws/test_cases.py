"""A release whose answers have a right form and are wrong gets no request of a user: its cases fail before traffic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import commands, emulator
from deploy.errors import Exit, UsageError
from deploy.reporter import case_table
from tests.laws.stage import Ahead
from tests.project import make_project

PLACE = {
    "cloud": "local",
    "subscription_id": "00000000-0000-0000-0000-000000000001",
    "resource_group": "rg-local",
    "workspace": "mlw-local",
}


def project_of(folder: Path, change: dict[str, str] | None = None) -> commands.Project:
    """A project with one endpoint; `change`: old text -> new text of its pipeline file."""
    folder.mkdir(exist_ok=True)
    root = make_project(folder)
    folder = root / "templates" / "medimageparse"
    (folder / "probe" / "cases" / "phantom.yml").unlink()  # its image has sixteen times as many pixels
    pipeline = folder / "pipeline.yml.j2"
    text = pipeline.read_text().replace("image: probe/phantom.png", "image: probe/cases/low.png")
    for old, new in (change or {}).items():
        assert old in text
        text = text.replace(old, new)
    pipeline.write_text(text)
    project = commands.Project(root, Ahead())
    want(project, 1)
    return project


def want(project: commands.Project, release: int) -> None:
    values = {"instance_type": "Standard_NC24ads_A100_v4", "max_concurrent": release}
    body = {**PLACE, "endpoints": {"mip": {"template": "medimageparse", "values": values}}}
    (project.root / "environments" / "law.yml").write_text(yaml.safe_dump(body))


def apply(project: commands.Project) -> commands.Result:
    return commands.apply(project, "law", approve=lambda *_: None, emit=lambda _: None)


def second_release(project: commands.Project, fault: dict[str, Any]) -> commands.Result:
    """Deploy release 1, then release 2, whose deployment green has a fault in every answer."""
    emulator.begin(project.state)
    assert apply(project).exit is Exit.OK
    want(project, 2)
    (project.root / "faults.yml").write_text(
        json.dumps({"faults": [{**fault, "deployment": "green", "times": "always"}]})
    )
    emulator.begin(project.state, faults=project.root / "faults.yml")
    return apply(project)


UNCHECKED = {"    sides: radiological\n": "    sides: unchecked\n"}
"""Only the cases see that left and right are swapped."""


def test_a_wrong_release_gets_no_traffic(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Swapped left and right; with `--laws full` also masks beside the organ, and an accepted failure."""
    wrong(tmp_path / "swap", "swap_labels")
    if request.config.getoption("--laws") == "full":
        wrong(tmp_path / "shift", "shift_mask")
        accepted(tmp_path / "accepted")
        without_cases(tmp_path / "without")


def wrong(folder: Path, transform: str) -> None:
    """Exit 5, the cases are named, traffic stays on blue."""
    project = project_of(folder, UNCHECKED)
    result = second_release(project, {"kind": "answer", "transform": transform})

    assert result.exit is Exit.STEP_FAILED
    [failed] = [each for each in result.report.outcomes if each.error]
    assert str(failed.address) == "probe/mip/green"
    assert failed.error is not None
    assert failed.error["code"] == "AML386"
    assert "2 of 2 cases failed" in failed.error["message"]
    assert "expected dice of 0.9" in failed.error["message"]
    assert [each["ok"] for each in failed.evidence.data["cases"]] == [False] * 2
    assert {name for name in failed.evidence.files if name.endswith(".png")} == {
        "case-low.png",
        "case-wide.png",
    }
    shifts = [each.state.value for each in result.report.outcomes if each.address.kind == "traffic"]
    assert set(shifts) == {"not_reached"}
    [row] = commands.status(project, "law")
    assert {slot.name: slot.traffic for slot in row.slots} == {"blue": 100, "green": 0}
    compared(project)
    recorded(project)


def compared(project: commands.Project) -> None:
    """`probe --compare`: the wrong slot beside the live one, exit 5; the live one alone passes."""
    result = commands.probe(project, "law", emit=lambda _: None, compare=True)
    assert result.exit is Exit.STEP_FAILED
    table = case_table(result.report).splitlines()
    assert table[0] == "Cases of probe/mip/green"
    assert table[1].split() == ["case", "metric", "probed", "live", "difference", "result"]
    assert [line.split()[0] for line in table if "dice" in line] == ["low", "wide"]
    assert all(line.endswith("failed") for line in table if "dice" in line)
    live = commands.probe(project, "law", emit=lambda _: None)
    assert live.exit is Exit.OK
    with pytest.raises(UsageError, match="has no deployment red"):
        commands.probe(project, "law", emit=lambda _: None, slot="red")


def recorded(project: commands.Project) -> None:
    """`probe --record`: expected answers of a person stay, unless they are to be replaced; recorded ones are replaced.
    What was recorded is valid, and the live deployment passes it."""
    kept = commands.record(project, "law")
    assert [each.files for each in kept] == [(), ()]
    assert "was not recorded" in kept[0].reason
    for overwrite in (True, False):
        written = commands.record(project, "law", overwrite=overwrite)
        assert [len(each.files) for each in written] == [3, 3]
    folder = project.root / "templates" / "medimageparse" / "probe" / "cases"
    assert "date: '20" in (folder / "low.yml").read_text()
    assert commands.probe(project, "law", emit=lambda _: None).exit is Exit.OK


def without_cases(folder: Path) -> None:
    """The shipped ranges are enough to find a swap, before a case is asked."""
    project = project_of(folder, {"  cases: probe/cases\n": ""})
    result = second_release(project, {"kind": "answer", "transform": "swap_labels"})
    [failed] = [each for each in result.report.outcomes if each.error]
    assert failed.error is not None
    assert failed.error["code"] == "AML376"
    assert "expected 'left lung' further to the patient's left than 'right lung'" in failed.error["message"]


def accepted(folder: Path) -> None:
    """Both cases fail and are accepted: traffic moves, and the report says so. Pictures of a case that is not
    synthetic do not reach the report."""
    project = project_of(folder, UNCHECKED)
    for file in (project.root / "templates" / "medimageparse" / "probe" / "cases").glob("*.yml"):
        text = file.read_text().replace("synthetic: true\n", "")
        file.write_text(text + "accept: {reason: known, until: 2999-12-31}\n")
    result = second_release(project, {"kind": "answer", "transform": "swap_labels"})

    assert result.exit is Exit.OK
    probed = [each for each in result.report.outcomes if each.verb == "probe"]
    assert len(probed) == 3
    assert all("0 cases passed, 2 failed and are accepted" in each.evidence.summary for each in probed)
    assert not [name for each in probed for name in each.evidence.files if name.startswith("case-")]
