"""The case files of a probe: every problem has its file and line, and nothing outside the folders is read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from deploy.config.validation import cases
from deploy.documents import yaml12
from tests.project import ROOT, make_project

PROBE = {"type": "medimageparse", "status": 200, "image": "phantom.png", "text": "lung", "cases": "cases"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a template with one image of 8 x 8 pixels, one mask and an empty folder of cases."""
    folder = tmp_path / "templates" / "m"
    (folder / "cases").mkdir(parents=True)
    for name in ("phantom.png", "cases/mask.png"):
        Image.new("L", (8, 8), 1).save(folder / name)
    Image.new("L", (9, 8), 1).save(folder / "cases/large.png")
    Image.new("L", (8, 8), 7).save(folder / "cases/seven.png")
    return tmp_path


def read(root: Path, text: str | None = None, name: str = "a.yml", **probe):
    """The cases and the problems, as text, of one case file."""
    folder = root / "templates" / "m"
    if text is not None:
        (folder / "cases" / name).write_text(text)
    own = {**PROBE, **probe}
    source = yaml12.parse(f"probe: {{cases: {own['cases']}}}", "templates/m/pipeline.yml")
    named, problems = cases.read(source, own, folder, root)
    return named, [f"{each.place} {each.code} {each.cause} {each.cure}" for each in problems]


WRONG = [
    ("imag: x.png", "a.yml:1:1 AML120 'imag' is not a key here. Did you mean image?"),
    ("expect: {mask: x.png}", "a.yml:1:10 AML120 'mask' is not a key here"),
    ("floors: {dise: 1}", "AML122"),
    ("floors: {dice: 2}", "a.yml:1:16 AML122"),
    ("repeat: 0", "a.yml:1:9 AML122"),
    ("\nimage: none.png", "a.yml:2:8 AML148 There is no file 'none.png'."),
    ("image: ../../../environments/x.png", "a.yml:1:8 AML148 '../../../environments/x.png' is outside the folders"),
    ("image: /etc/hostname", "a.yml:1:8 AML148 '/etc/hostname' is outside the folders"),
    ("expect: {masks: none.png}", "a.yml:1:9 AML148 There is no file 'none.png'."),
    ("expect: {masks: large.png}", "AML148 large.png has 9 x 8 pixels, the input has 8 x 8."),
    ("expect: {masks: seven.png}", "AML148 seven.png has the number 7, but there are 1 prompts."),
    ("expect: {masks: {heart: mask.png}}", "AML148 'masks' has no file for the prompt 'lung'."),
    ("expect: {vector: v.json}", "a.yml:1:18 AML148 A model with a probe of type medimageparse has no 'vector'"),
    ("expect: {masks: mask.png}\nfloors: {cosine: 1}", "a.yml:2:18 AML148 The metric 'cosine' needs vector"),
    ("floors: {dice: 0.5}", "AML148 The metric 'dice' needs masks in `expect`."),
    ("text: a & & b", "a.yml:1:7 AML148 'text' has an empty prompt"),
    ("expect: {masks: mask.png, text: x}", "AML122"),
    ("accept: {reason: x, until: soon}", "a.yml:1:28 AML122"),
    ("accept: {reason: x}", "until is missing"),
    ("a: [", "a.yml:"),
]


@pytest.mark.parametrize(("text", "words"), WRONG, ids=[text.strip()[:34] for text, _ in WRONG])
def test_a_problem_has_its_place(root: Path, text: str, words: str) -> None:
    """File, line, column and code; the file is named as it is in the project."""
    _, problems = read(root, text)
    assert len(problems) == 1, problems
    assert problems[0].startswith("templates/m/cases/a.yml:")
    assert words in problems[0]


def test_a_case_inherits_the_input_of_the_probe(root: Path) -> None:
    """A file with floors only; a waiver keeps its date as text, so that a plan file can contain it."""
    text = "expect: {masks: mask.png}\naccept: {reason: known, until: 2027-01-31}\n"
    named, problems = read(root, text)
    assert problems == []
    assert (named[0]["name"], named[0]["folder"]) == ("a", "cases")
    assert json.loads(json.dumps(named)) == named
    assert named[0]["case"]["accept"] == {"reason": "known", "until": "2027-01-31"}


def test_a_table_has_many_cases(root: Path) -> None:
    """In the folder or as the file itself; a problem is at its line."""
    named, problems = read(root, "cases:\n  one: {}\n  two: {text: heart}\n", "all.yml")
    assert (problems, [each["name"] for each in named]) == ([], ["one", "two"])
    named, problems = read(root, "cases:\n  one: {}\n  two: {image: none.png}\n", "all.yml", cases="cases/all.yml")
    [problem] = problems
    assert problem.startswith("templates/m/cases/all.yml:3:16 AML148 There is no file 'none.png'. Check the path")
    assert [each["folder"] for each in named] == ["cases", "cases"]


def test_the_folder_may_be_outside_the_project(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """An absolute path, for real images that are not in the repository. Its files are named as they are written."""
    outside = tmp_path_factory.mktemp("images")
    Image.new("L", (8, 8), 1).save(outside / "real.png")
    (outside / "real.yml").write_text("image: real.png\n")
    named, problems = read(root, cases=str(outside))
    assert (problems, len(named)) == ([], 1)
    (outside / "real.yml").write_text("image: other.png\n")
    [problem] = read(root, cases=str(outside))[1]
    assert problem.startswith(f"{outside}/real.yml:1:8 AML148")


def test_the_folder_is_bounded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many files, too many cases, no case, no folder."""
    assert read(root)[1] == ["templates/m/pipeline.yml:1:16 AML148 'cases' has no case. Add a .yml file for each case."]
    assert "There is no file or folder 'none'" in read(root, cases="none")[1][0]
    monkeypatch.setattr(cases, "MOST_CASES", 1)
    read(root, "text: lung")
    assert "There are 2 cases; the maximum is 1." in read(root, "text: lung", "b.yml")[1][0]
    monkeypatch.setattr(cases, "MOST_FILES", 3)
    assert "more than 3 files" in read(root)[1][0]


def test_a_dicom_file_that_identifies_a_person_is_refused(root: Path) -> None:
    """Wherever it is in the folder, used or not. The message has the tag's name and not its value."""
    pytest.importorskip("pydicom", reason="pydicom is not installed: pip install 'amldeploy[medical]'")
    import numpy as np

    from tests.unit.probes.test_readers import written

    inner = root / "templates" / "m" / "cases" / "inner"
    inner.mkdir()
    written(inner, np.zeros((2, 2)), PatientName="Doe^Jane", PatientID="4711")
    [problem] = read(root, "text: lung")[1]
    assert problem.startswith("templates/m/cases/inner/x.dcm:1:1 AML149 The DICOM file identifies a person: PatientID,")
    assert "Doe" not in problem
    assert "4711" not in problem
    written(inner, np.zeros((2, 2)), PatientName="", PatientID="")
    assert read(root, "text: lung")[1] == []


def test_a_case_of_any_endpoint_has_a_body_and_an_expected_answer(root: Path) -> None:
    """Type http: the JSON Schema of the probe is in the template folder, the body beside the case."""
    folder = root / "templates" / "m"
    (folder / "form.json").write_text('{"type": "object"}')
    (folder / "cases" / "request.json").write_text("{}")
    own = {"type": "http", "answer": "form.json", "image": None}
    text = "body: request.json\nexpect: {answer: {species: setosa}}\nfloors: {json: 1}\n"
    assert read(root, text, **own)[1] == []
    (folder / "cases" / "request.json").write_text("no")
    assert "a.yml:1:7 AML148 'request.json' is not JSON" in read(root, text, **own)[1][0]


def test_a_pipe_in_the_folder_is_not_opened(root: Path) -> None:
    """Opening it would wait forever."""
    os.mkfifo(root / "templates" / "m" / "cases" / "pipe.yml")
    os.mkfifo(root / "templates" / "m" / "cases" / "pipe.dcm")
    assert read(root, "text: lung")[1] == []


def test_a_template_without_cases_imports_nothing_new(tmp_path: Path) -> None:
    """Neither the readers nor numpy, pillow, pydicom or nibabel: a machine without extras validates and deploys."""
    make_project(tmp_path)
    place = "subscription_id: 00000000-0000-0000-0000-000000000001\nresource_group: rg-local\nworkspace: mlw-local\n"
    body = f"cloud: local\n{place}endpoints: {{one: {{template: custom-container, values: {{instance_count: 1}}}}}}\n"
    (tmp_path / "environments" / "plain.yml").write_text(body)
    code = (
        "import sys; from pathlib import Path; from deploy import commands;"
        "[print(spec.key) for spec in commands.validate(commands.Project(Path('.')), 'plain')[1]];"
        "new = ('numpy', 'PIL', 'pydicom', 'nibabel', 'pickletools', 'deploy.probes.cases', 'deploy.probes.inputs',"
        " 'deploy.documents.cases');"
        "print([name for name in new if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert ran.stdout.split("\n")[:2] == ["one", "[]"], ran.stderr
