"""init: the files of a new project, and those that an existing project lacks; nothing is overwritten."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from deploy import commands
from deploy.config import starter
from deploy.errors import SpecError, UsageError
from tests.project import ROOT

TEMPLATES = [path.name for path in sorted((ROOT / "templates").iterdir())]
ENDPOINT = "name: my-endpoint\nauth_mode: key\n"
DEPLOYMENT = (
    "name: blue\nendpoint_name: my-endpoint\nmodel: {path: model}\nenvironment: {image: x/y:1, conda_file: conda.yml}\n"
    "code_configuration: {code: src, scoring_script: score.py}\ninstance_type: Standard_DS3_v2\ninstance_count: 1\n"
)


@pytest.fixture
def project(tmp_path: Path) -> commands.Project:
    (tmp_path / "project").mkdir()
    return commands.Project(tmp_path / "project")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with files for `az ml`."""
    folder = tmp_path / "Old Model"
    for name, text in {
        "endpoint.yml": ENDPOINT,
        "blue-deployment.yml": DEPLOYMENT,
        "model/w.txt": "1\n",
        "conda.yml": "dependencies: [python=3.11, {pip: [azureml-inference-server-http]}]\n",
        "src/score.py": "def init(): ...\n",
        "src/.amlignore": "*.tmp\n",
        "src/__pycache__/score.cpython-311.pyc": "",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@contextlib.contextmanager
def refused(code: str, message: str) -> Iterator[None]:
    with pytest.raises(UsageError, match=message) as caught:
        yield
    assert caught.value.code == code


def content(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("template", TEMPLATES)
def test_an_empty_folder_becomes_a_project(project: commands.Project, template: str) -> None:
    """It is valid as it is; dev names what is left to fill in, one problem for each key."""
    made = commands.init(project, template=template)
    assert sorted(made.written) == sorted(content(project.root))
    assert (made.kept, made.notes) == ([], [])
    _, (spec,) = commands.validate(project, "local")
    assert spec.key == template
    with pytest.raises(SpecError) as caught:
        commands.validate(project, "dev")
    lines = (project.root / "environments/dev.yml").read_text().splitlines()
    named = [lines[problem.place.line - 1].partition(":")[0] for problem in caught.value.problems]
    assert named == ["project", "subscription_id", "resource_group", "workspace"]
    assert {problem.code for problem in caught.value.problems} == {"AML117"}


def test_dev_is_valid_when_its_placeholders_are_replaced(project: commands.Project) -> None:
    """Nothing else is missing."""
    commands.init(project)
    dev = project.root / "environments/dev.yml"
    dev.write_text(
        re.sub(
            "<subscription id>",
            "11111111-1111-1111-1111-111111111111",
            re.sub("<([a-z]+)( group)?>(?= )", r"\1", dev.read_text()),
        ).replace("<workspace>", "mlw")
    )
    assert commands.validate(project, "dev")


def test_the_template_is_the_shipped_one(project: commands.Project) -> None:
    """Only the line for the editor differs, and it names a schema that init wrote."""
    commands.init(project)
    shipped = starter.template_files(ROOT / "templates" / starter.DEFAULT)
    own = project.root / "templates" / starter.DEFAULT
    assert sorted(starter.template_files(own)) == sorted(shipped)
    linked = 0
    for name, path in shipped.items():
        text, before = (own / name).read_bytes(), path.read_bytes()
        if line := re.match(rb"# yaml-language-server: \$schema=(.*)\n", text):
            schema = json.loads(((own / name).parent / line[1].decode()).read_text())
            assert schema == json.loads((path.parent / re.match(rb".*=(.*)\n", before)[1].decode()).read_text())
            linked += 1
        assert text.partition(b"\n")[2] == before.partition(b"\n")[2]
    assert linked == 6
    for file in (project.root / "environments").iterdir():
        line = file.read_text().splitlines()[0]
        assert line == "# yaml-language-server: $schema=../.schemas/environment.json"
    assert (project.root / ".schemas/environment.json").is_file()


def test_init_overwrites_nothing_and_adds_what_is_missing(project: commands.Project) -> None:
    """For each file that exists already, changed by the user: it stays, all others are written."""
    commands.init(project)
    every = content(project.root)
    for name in every:
        path = project.root / name
        path.write_bytes(b"mine\n")
        before = content(project.root)
        made = commands.init(project)
        assert (content(project.root), made.written) == (before, [])
        path.unlink()
        made = commands.init(project)
        if name.startswith("templates/"):  # a template belongs to the user as a whole
            assert made.written == []
        else:
            assert made.written == [name]
        path.write_bytes(every[name])
    assert content(project.root) == every


def test_init_keeps_the_choice_of_an_earlier_run(project: commands.Project) -> None:
    """Without --template nothing is added to a project with a template; with another one, a note says how to use it."""
    commands.init(project, template="gigapath")
    (project.root / "environments/local.yml").rename(project.root / "environments/local.yaml")
    (project.root / "environments/dev.yml").rename(project.root / "environments/prod.yml")
    made = commands.init(project)
    assert made.written == []
    assert made.kept[0] == "templates/gigapath"
    assert made.kept[-1] == "environments/local.yaml"
    made = commands.init(project, template="medimageinsight")
    assert made.written[0].startswith("templates/medimageinsight/")
    add = "Add below endpoints: medimageinsight: {template: medimageinsight}"
    assert made.notes == [f"environments/local.yaml does not use medimageinsight. {add}"]
    (project.root / "templates/medimageinsight").rename(project.root / "templates/another")
    assert commands.init(project).notes == []


def test_a_killed_init_is_completed(project: commands.Project) -> None:
    """A draft that it left is no template, and is replaced."""
    draft = project.root / "templates" / ".medimageparse.amldeploy-init"
    draft.mkdir(parents=True)
    (draft / "half").write_text("x")
    commands.init(project)
    assert not draft.exists()
    assert not (project.root / "templates/medimageparse/half").exists()
    assert commands.validate(project, "local")


def test_a_folder_for_az_ml_becomes_a_template(project: commands.Project, files: Path) -> None:
    """As it is, without caches; its entry in local.yml has a valid key."""
    with refused("AML687", r"'Old Model' is not a valid template name.*Use --template NAME"):
        commands.init(project, source=files)
    commands.init(project, source=files, template="Old_Model.2")
    own = content(project.root / "templates/Old_Model.2")
    assert own == {name: text for name, text in content(files).items() if "__pycache__" not in name}
    _, (spec,) = commands.validate(project, "local")
    assert spec.key == "old-model-2"
    assert commands.init(project, source=files, template="Old_Model.2").written == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda files: (files / "endpoint.yml").unlink(), "has no endpoint file.*Rename the files to endpoint.yml"),
        (lambda files: (files / "blue-deployment.yml").unlink(), "has no deployment file.*Rename the files"),
        (
            lambda files: (files / "blue-deployment.yml").write_text(DEPLOYMENT.replace("path: model", "path: ../w")),
            r"model\.path of .*Old Model/blue-deployment\.yml is outside of .*Move w into",
        ),
    ],
)
def test_a_folder_that_cannot_be_a_template_is_refused(
    project: commands.Project, files: Path, change, message: str
) -> None:
    """Before anything is written."""
    change(files)
    with refused("AML688", rf"{message}"):
        commands.init(project, source=files, template="old")
    assert content(project.root) == {}


def test_a_wrong_template_or_folder_is_refused(project: commands.Project, tmp_path: Path) -> None:
    """With the nearest name, or the list; the project itself is no template."""
    for name, cure in {
        "medimagparse": "Did you mean medimageparse",
        "x": "Use one of custom-container, ",
        "a/b": "Use",
    }.items():
        with refused("AML687", rf"{cure}"):
            commands.init(project, template=name)
    for source, cause in {tmp_path / "gone": "is not a folder", tmp_path: "contains", Path(): "contains"}.items():
        with refused("AML688", cause):
            commands.init(project, source=source, template="old")
    assert content(project.root) == {}


def test_a_folder_with_only_a_scoring_script_names_the_sample(project: commands.Project, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "score.py").write_text("def run(data): ...\n")
    with refused("AML688", "Write a sample with amldeploy init --template own-model, then replace"):
        commands.init(project, source=tmp_path / "mine")
    assert content(project.root / "templates") == {}


def test_the_next_commands_fit_the_template(project: commands.Project, files: Path) -> None:
    """A template without a probe needs a request file; one with code needs a Python environment on this machine."""
    made = commands.init(project, source=files, template="old")
    assert made.next == [
        "amldeploy emulator scoring", "amldeploy apply -e local",
        "amldeploy invoke -e local --request-file request.json",
    ]  # fmt: skip


def test_a_broken_link_is_kept(project: commands.Project) -> None:
    """It is no file, but something is there."""
    (project.root / ".gitignore").symlink_to("gone")
    assert ".gitignore" in commands.init(project).kept
    assert (project.root / ".gitignore").readlink() == Path("gone")


CALL = "OWNER/amldeploy/.github/workflows/"


def test_the_workflow_calls_ours_correctly(project: commands.Project) -> None:
    """Each job passes inputs that the called workflow has, those that it requires, and enough permissions."""
    made = commands.init(project, github=True)
    jobs = yaml.safe_load((project.root / starter.WORKFLOW).read_text())["jobs"]
    for job in jobs.values():
        assert job["uses"].startswith(CALL)
        assert job["uses"].endswith("@COMMIT")
        called = yaml.safe_load(
            (ROOT / ".github/workflows" / job["uses"].removeprefix(CALL)[: -len("@COMMIT")]).read_text()
        )
        inputs = called[True]["workflow_call"]["inputs"]
        assert set(job["with"]) <= set(inputs)
        assert {name for name, each in inputs.items() if each.get("required")} <= set(job["with"])
        needed = {name for each in called["jobs"].values() for name in each.get("permissions", {})}
        assert needed <= set(job["permissions"])
    document = yaml.safe_load((project.root / starter.WORKFLOW).read_text())
    crons = {each["cron"] for each in document[True]["schedule"]}
    assert crons == set(re.findall(r"github\.event\.schedule == '([^']+)'", str(jobs)))
    (note,) = made.notes
    assert note.startswith(
        "replace OWNER/amldeploy and COMMIT in .github/workflows/amldeploy.yml by the repository and "
    )
    assert commands.init(project, github=True).notes == []
    assert starter.WORKFLOW in commands.init(project, github=True).kept


@pytest.mark.parametrize(
    "command",
    [
        ("jactionlint", "--shellcheck="),
        ("zizmor", "--quiet", "--persona=auditor", "--offline"),
        ("check-jsonschema", "--quiet", "--builtin-schema", "vendor.github-workflows"),
    ],
    ids=lambda command: command[0],
)
def test_the_workflow_passes_the_linters(project: commands.Project, command: tuple[str, ...]) -> None:
    """As our own do in scripts/check, once it names a commit."""
    commands.init(project, github=True)
    path = project.root / starter.WORKFLOW
    path.write_text(path.read_text().replace("OWNER/", "acme/").replace("@COMMIT", f"@{'0123456789' * 4}"))
    tool = Path(sys.executable).with_name(command[0])
    ran = subprocess.run([tool, *command[1:], path], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://github.com/acme/amldeploy.git", "acme/amldeploy"),
        ("ssh://git@github.com/acme/aml.deploy", "acme/aml.deploy"),
        ("https://example.com/acme/amldeploy", None),
        ("file:///home/me/amldeploy", None),
    ],
)
def test_an_installation_from_github_names_its_commit(url: str, found: str | None) -> None:
    """pip writes direct_url.json for it; another installation has none, or one without a commit."""
    commit = "0123456789" * 4
    text = json.dumps({"url": url, "vcs_info": {"vcs": "git", "commit_id": commit}})
    assert starter.source_of(text) == ((found, commit) if found else None)
    assert starter.source_of(json.dumps({"url": url, "dir_info": {"editable": True}})) is None
    assert starter.source_of("{}") is None


def test_schemas_are_written_over_older_ones(tmp_path: Path) -> None:
    """schema --write renews what init wrote, and nothing else in the folder."""
    (tmp_path / "mine.json").write_text("{}")
    (tmp_path / "endpoint.json").write_text("{}")
    written = commands.write_schemas(tmp_path)
    assert {Path(path).name for path in written} == {
        f"{n}.json" for n in ("environment", "endpoint", "deployment", "pipeline", "case", "cases")
    }
    for path in written:
        assert Path(path).read_text() == (ROOT / "deploy/schemas" / Path(path).name).read_text()
    assert (tmp_path / "mine.json").read_text() == "{}"
