"""`amldeploy invoke`: the input of the probe, one's own, a whole request; exit code 0 only for a good answer."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from tests.fork_server import ForkServer
from tests.project import ROOT, make_project

IMAGE = "templates/medimageparse/probe/phantom.png"
SCHEMA = json.loads((ROOT / "deploy" / "schemas" / "invoke.json").read_text())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, amldeploy: ForkServer) -> Path:
    """A project with an endpoint that receives traffic."""
    root = make_project(tmp_path_factory.mktemp("invoke"))
    assert amldeploy.run(root, "apply", "-e", "local").returncode == 0
    return root


def test_the_probes_input_is_the_default(amldeploy: ForkServer, project: Path) -> None:
    """Without an endpoint and an input: the only endpoint, the probe's input. The picture and the JSON are saved."""
    ran = amldeploy.run(project, "invoke", "-e", "local", "--save", "seen")
    assert ran.returncode == 0
    assert "mip/blue: 2 masks of 1024 x 1024 pixels: left lung" in ran.stdout
    names = ["answer.json", "phantom-masks.png", "result.json"]
    assert sorted(path.name for path in (project / "seen").iterdir()) == names
    assert all(f"Saved: seen/{name}" in ran.stdout for name in names)
    assert json.loads((project / "seen" / "result.json").read_text())["ok"] is True
    assert json.loads((project / "seen" / "answer.json").read_text())[0]["image_features"]


@pytest.mark.parametrize("form", ["json", "markdown", "text"])
def test_ones_own_image_and_text_are_sent(amldeploy: ForkServer, project: Path, tmp_path: Path, form: str) -> None:
    """An image from another folder, and one's own prompt, also for a slot by name; every form of -o has the result."""
    link = tmp_path / "mine.png"
    link.symlink_to(project / IMAGE)
    words = ("--image", str(link), "--text", "heart", "--slot", "blue")
    ran = amldeploy.run(project, "invoke", "-e", "local", "mip", *words, "-o", form)
    assert ran.returncode == 0
    assert "1 mask of 1024 x 1024 pixels: heart" in ran.stdout
    if form == "json":
        body = json.loads(ran.stdout)
        jsonschema.Draft202012Validator(SCHEMA).validate(body)
        assert body["ok"]
        assert [mask["prompt"] for mask in body["data"]["masks"]] == ["heart"]


def test_a_printed_request_is_a_request_file(amldeploy: ForkServer, project: Path, tmp_path: Path) -> None:
    """--print-request sends nothing; what it prints is what --request-file sends, and the answer is shown."""
    before = len(json.loads(amldeploy.run(project, "emulator", "requests", "-o", "json").stdout))
    printed = amldeploy.run(project, "invoke", "-e", "local", "--text", "heart", "--print-request")
    assert len(json.loads(amldeploy.run(project, "emulator", "requests", "-o", "json").stdout)) == before
    (tmp_path / "request.json").write_text(printed.stdout)
    ran = amldeploy.run(project, "invoke", "-e", "local", "--request-file", str(tmp_path / "request.json"))
    assert ran.returncode == 0
    assert ran.stdout.startswith("mip/blue: HTTP 200 with a list in JSON")
    assert "image_features" in ran.stdout
    assert "characters; --save FOLDER saves all" in ran.stdout


def test_a_wrong_answer_is_exit_code_5(amldeploy: ForkServer, project: Path, tmp_path: Path) -> None:
    """The model refuses the request: the message has the model's words, --save has the whole answer."""
    (tmp_path / "request.json").write_text('{"input_data": {}}')
    words = ("invoke", "-e", "local", "--request-file", str(tmp_path / "request.json"), "--save", "wrong")
    ran = amldeploy.run(project, *words)
    assert ran.returncode == 5
    assert ran.stderr.startswith("AML373 cannot invoke mip/blue: the model answered")
    assert "`amldeploy logs -e local mip --slot blue`" in " ".join(ran.stderr.split())
    assert ran.stdout == "Saved: wrong/answer.txt\n"
    assert [path.name for path in (project / "wrong").iterdir()] == ["answer.txt"]
    body = json.loads(amldeploy.run(project, *words, "-o", "json").stdout)
    jsonschema.Draft202012Validator(SCHEMA).validate(body)
    assert (body["ok"], body["error"]["code"], body["error"]["exit"]) == (False, "AML373", 5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--image", "no.png"), "there is no file no.png"),
        (("--image", "environments/local.yml"), "'local.yml' is not a PNG image"),
        (("--text", "a && b"), "'text' has an empty prompt"),
        (("--request-file", "environments/local.yml"), "'local.yml' is not JSON"),
        (("--request-file", IMAGE, "--text", "a"), "a request file is the whole request"),
        (("--slot", "green"), "mip-papdf has no deployment green\n    → It has blue"),
        (("--print-request", "--slot", "blue"), "--print-request sends nothing"),
        (("cxr",), "environment local has no endpoint with this key"),
    ],
)
def test_an_input_that_cannot_be_sent_is_a_usage_error(
    amldeploy: ForkServer, project: Path, words: tuple[str, ...], message: str
) -> None:
    """Exit code 64, and nothing is sent."""
    ran = amldeploy.run(project, "invoke", "-e", "local", *words)
    assert ran.returncode == 64
    assert message in ran.stderr


def test_the_message_names_what_the_model_takes(amldeploy: ForkServer, tmp_path: Path) -> None:
    """Each endpoint of an environment with several: the input depends on its probe. None is sent, as none is named."""
    root = make_project(tmp_path)
    entries = "".join(f"  {key}: {{template: {key}}}\n" for key in ("gigapath", "medimageinsight", "own", "none"))
    local = root / "environments" / "local.yml"
    local.write_text(local.read_text().partition("endpoints:")[0] + "endpoints:\n" + entries)
    for name, probe in (("own", "probe: {type: http}"), ("none", "probe:")):
        (root / "templates" / name).mkdir()
        for file in ("endpoint.yml.j2", "deployment.yml.j2"):
            (root / "templates" / name / file).write_bytes((root / "templates/medimageinsight" / file).read_bytes())
        (root / "templates" / name / "pipeline.yml").write_text(probe + "\n")

    def refusal(*words: str) -> str:
        ran = amldeploy.run(root, "invoke", "-e", "local", *words)
        assert ran.returncode == 64
        return " ".join(ran.stderr.split())

    assert "local has 4 endpoints → Name one: gigapath, medimageinsight, own, none" in refusal()
    assert "type gigapath does not take --text → Use --image, or --request-file" in refusal("gigapath", "--text", "a")
    assert "type http does not take --image → Use --request-file FILE" in refusal("own", "--image", IMAGE)
    assert "it has no probe, so its input is not known → Use --request-file FILE" in refusal("none")


def test_an_endpoint_without_traffic_is_named(amldeploy: ForkServer, tmp_path: Path) -> None:
    """Before the first apply: what is missing, and what to do."""
    ran = amldeploy.run(make_project(tmp_path), "invoke", "-e", "local", "-o", "json")
    assert ran.returncode == 4
    assert json.loads(ran.stdout)["error"]["cause"] == "mip-papdf does not exist"
    assert "Apply first" in ran.stderr
