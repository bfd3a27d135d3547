"""Which project and which environment a command is for: the current folder, -C, -e, AMLDEPLOY_ENVIRONMENT."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from deploy.config import project_folder
from tests.fork_server import ForkServer
from tests.project import make_project


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, amldeploy: ForkServer) -> Path:
    """A project with one endpoint in the emulator."""
    root = make_project(tmp_path_factory.mktemp("context"))
    assert amldeploy.run(root, "apply", "-e", "local").returncode == 0
    return root


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project without a deployment, two folders below the test's."""
    root = tmp_path / "around" / "project"
    root.mkdir(parents=True)
    return make_project(root)


# -- The environment --


def test_the_variable_names_the_environment(amldeploy: ForkServer, project: Path) -> None:
    """-e comes first; an empty variable counts as unset."""
    named = amldeploy.run(project, "validate", "-o", "json", AMLDEPLOY_ENVIRONMENT="local")
    both = amldeploy.run(project, "validate", "-e", "local", "-o", "json", AMLDEPLOY_ENVIRONMENT="dev")
    unset = amldeploy.run(project, "validate", AMLDEPLOY_ENVIRONMENT="")

    assert json.loads(named.stdout)["environment"] == json.loads(both.stdout)["environment"] == "local"
    assert unset.returncode == 64
    assert "AMLDEPLOY_ENVIRONMENT" in unset.stderr


def test_an_error_names_the_variable(amldeploy: ForkServer, project: Path) -> None:
    """The name is not on the command line, so its source is printed; with -e it is not."""
    wrong = amldeploy.run(project, "plan", AMLDEPLOY_ENVIRONMENT="nowhere")
    typed = amldeploy.run(project, "plan", "-e", "nowhere", AMLDEPLOY_ENVIRONMENT="local")

    assert wrong.stderr.endswith("Environment nowhere is from AMLDEPLOY_ENVIRONMENT.\n")
    assert "There is no environment 'nowhere'" in typed.stderr
    assert "AMLDEPLOY_ENVIRONMENT" not in typed.stderr


@pytest.mark.parametrize(
    ("command", "why", "cure"),
    [
        ("teardown --yes", "teardown", "-e local"),
        ("lease reap --yes", "reap", "-e local"),
        ("plan --prune", "--prune", "-e local"),
        ("apply --prune", "--prune", "-e local"),
        ("teardown --prune --yes", "--prune", "-e local"),
    ],
)
def test_what_deletes_needs_an_option(command: str, why: str, cure: str, amldeploy: ForkServer, deployed: Path) -> None:
    """The variable may be from another terminal or a profile: it is named, and nothing is read or changed."""
    refused = amldeploy.run(deployed, *command.split(), AMLDEPLOY_ENVIRONMENT="local")
    text = " ".join(refused.stderr.split())

    assert refused.returncode == 64
    assert f"AML692 cannot select the environment: -e is required, because {why} deletes" in text
    assert "AMLDEPLOY_ENVIRONMENT, which names local, is ignored" in text
    assert f"Name the environment: {cure}" in text
    assert "1 endpoint" in amldeploy.run(deployed, "status", "-e", "local").stdout


def test_with_an_option_it_deletes_in_spite_of_the_variable(amldeploy: ForkServer, project: Path) -> None:
    """The variable is not an error in itself: teardown of the environment that is named."""
    done = amldeploy.run(project, "teardown", "-e", "local", "--prune", "--yes", AMLDEPLOY_ENVIRONMENT="dev")

    assert done.returncode == 0, done.stderr
    assert "for local" in done.stdout


def test_several_environments_are_refused(amldeploy: ForkServer, project: Path) -> None:
    """With any spelling; the message lists them. Reap accepts several."""
    refused = amldeploy.run(project, "apply", "-e", "prod", "--environment=dev", "--environment", "local")
    both = amldeploy.run(project, "lease", "reap", "-e", "local", "-e", "nowhere", "-o", "json")

    assert refused.returncode == 64
    assert "AML691" in refused.stderr
    assert "3 are named: -e prod, -e dev, -e local" in " ".join(refused.stderr.split())
    assert [each["environment"] for each in json.loads(both.stdout)["environments"]] == ["local", "nowhere"]


@pytest.mark.parametrize("variable", ["dev", "nowhere"])
def test_a_plan_file_does_not_use_the_variable(variable: str, amldeploy: ForkServer, project: Path) -> None:
    """The file names its environment, also when the variable names another one or none that exists."""
    assert amldeploy.run(project, "plan", "-e", "local", "--out", "a.plan").returncode == 0
    done = amldeploy.run(project, "apply", "a.plan", AMLDEPLOY_ENVIRONMENT=variable)

    assert done.returncode == 0, done.stderr
    assert "Report for local" in done.stdout


def test_a_key_is_no_plan_file(amldeploy: ForkServer, project: Path) -> None:
    """Also with a file of that name, as with -e."""
    (project / "mip").write_text("no plan")
    done = amldeploy.run(project, "apply", "mip", AMLDEPLOY_ENVIRONMENT="local")

    assert done.returncode == 0, done.stderr


# -- The folder --


def test_a_command_finds_the_project_from_a_subfolder(amldeploy: ForkServer, deployed: Path) -> None:
    """It sees the same emulator; what it saves is printed with a path from where the user is."""
    folder = deployed / "templates" / "medimageparse" / "probe"
    planned = amldeploy.run(folder, "plan", "-e", "local")
    probed = amldeploy.run(folder, "probe", "-e", "local")
    saved = next(line for line in probed.stdout.splitlines() if line.endswith("report.html")).removeprefix("Saved: ")

    assert "No changes. The resources match the files." in planned.stdout
    assert saved.startswith("../../../.amldeploy/reports/")
    assert (folder / saved).is_file()
    assert not (folder / ".amldeploy").exists()


def test_paths_of_the_user_stay_where_the_user_is(amldeploy: ForkServer, deployed: Path) -> None:
    """An image that is read, a folder that is written, a plan file."""
    folder = deployed / "work"
    folder.mkdir()
    shutil.copy(deployed / "templates/medimageparse/probe/phantom.png", folder / "scan.png")
    called = amldeploy.run(folder, "invoke", "-e", "local", "--image", "scan.png", "--save", "answer")
    planned = amldeploy.run(folder, "plan", "-e", "local", "--out", "a.plan")
    applied = amldeploy.run(folder, "apply", "a.plan", "--events", "events.jsonl")

    assert [ran.returncode for ran in (called, planned, applied)] == [0, 0, 0], called.stderr + applied.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["a.plan", "answer", "events.jsonl", "scan.png"]
    assert "Saved: answer/answer.json" in called.stdout


def test_emulator_commands_use_the_data_of_the_project(amldeploy: ForkServer, project: Path) -> None:
    """Not a second emulator in the subfolder."""
    folder = project / "templates"
    assert amldeploy.run(folder, "emulator", "reset").returncode == 0

    assert (project / ".amldeploy" / "world.sqlite").exists()
    assert not (folder / ".amldeploy").exists()


def test_an_error_in_a_subfolder_names_the_folder_of_its_paths(amldeploy: ForkServer, project: Path) -> None:
    """Paths in errors start at the project."""
    inside = amldeploy.run(project / "templates", "validate", "-e", "nowhere")
    at_root = amldeploy.run(project, "validate", "-e", "nowhere")

    assert "environments/nowhere.yml:1:1: AML101" in inside.stderr
    assert inside.stderr.endswith("Paths of the project's files start in ../ (the project folder).\n")
    assert "project folder" not in at_root.stderr


def test_annotations_in_github_name_files_of_the_repository(
    amldeploy: ForkServer, project: Path, tmp_path: Path
) -> None:
    """Also from a subfolder: from the root of the checkout."""
    variables = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(tmp_path)}
    ran = amldeploy.run(project / "templates", "validate", "-e", "nowhere", **variables)

    assert "file=around/project/environments/nowhere.yml" in ran.stderr


def test_minus_c_runs_in_another_folder(amldeploy: ForkServer, project: Path, tmp_path: Path) -> None:
    """As if started there: also in a subfolder, relative to a first -C, and paths start there."""
    for words in (["-C", "around/project"], ["-C", "around", "-C", "project/templates"], ["-C", str(project)]):
        ran = amldeploy.run(tmp_path, *words, "validate", "-e", "local")
        assert (ran.returncode, ran.stdout) == (0, "local: no problems in 1 endpoint.\n"), ran.stderr
    amldeploy.run(tmp_path, "-C", "around/project", "plan", "-e", "local", "--out", "a.plan")

    assert (project / "a.plan").is_file()


@pytest.mark.parametrize(
    ("folder", "cause"),
    [
        ("nowhere", "cannot run in nowhere: No such file or directory"),
        ("file", "cannot run in file: Not a directory"),
        ("empty", "cannot find a project in empty: neither it nor a folder above it contains environments/"),
    ],
)
def test_minus_c_without_a_project(folder: str, cause: str, amldeploy: ForkServer, tmp_path: Path) -> None:
    """A usage error; `init` and commands without a project work there."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    refused = amldeploy.run(tmp_path, "-C", folder, "plan", "-e", "local")

    assert refused.returncode == 64
    assert f"AML690 {cause}" in " ".join(refused.stderr.split())
    assert amldeploy.run(tmp_path, "-C", "empty", "explain", "AML690").returncode == 0
    assert amldeploy.run(tmp_path, "-C", "empty", "init").returncode == 0
    assert amldeploy.run(tmp_path, "-C", "empty", "validate", "-e", "local").returncode == 0


def test_init_in_a_subfolder_names_the_project(amldeploy: ForkServer, project: Path) -> None:
    """It writes a project of its own, as asked, and prints how to add to the other one."""
    folder = project / "nested"
    folder.mkdir()
    first, second = (amldeploy.run(folder, "init") for _ in range(2))

    assert "To add to it: amldeploy -C .. init" in first.stderr
    assert "A project contains this folder" not in second.stderr
    assert (folder / "environments" / "local.yml").is_file()


@pytest.mark.parametrize(
    ("folders", "start", "found"),
    [
        (["a/environments"], "a", "."),
        (["a/environments", "a/b/c"], "a/b/c", "../.."),
        (["environments", "a/environments", "a/b"], "a/b", ".."),
        (["environments", "a/.git", "a/b"], "a/b", None),
        (["environments", "a/.git"], "a", None),
        (["environments", ".git", "a"], "a", ".."),
    ],
)
def test_the_nearest_project_is_found(
    folders: list[str], start: str, found: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to the root of a repository, which can be a project itself."""
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / start)

    assert project_folder.find() == (found if found is None else Path(found))
