"""Files to values: which files there are, and what is refused before anything is made of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.config import reader
from deploy.errors import Place, SpecError


def write(root: Path, **files: str | bytes) -> Path:
    """Files in a root folder; `__` in a name is a slash, `_` a dot."""
    for name, content in files.items():
        path = root / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def problem(call: object, *args: object) -> tuple[str, str, str, str]:
    with pytest.raises(SpecError) as caught:
        call(*args)  # type: ignore[operator]
    found = caught.value.problems[0]
    return str(found.place), found.code, found.cause, found.cure


def test_an_environment_is_read_with_its_places(tmp_path: Path) -> None:
    """The file is named as a person would type it."""
    source = reader.read_environment(write(tmp_path, environments__dev_yml="cloud: local\n"), "dev")
    assert source.value == {"cloud": "local"}
    assert str(source.place(("cloud",))) == "environments/dev.yml:1:8"


def test_the_long_suffix_is_read_too(tmp_path: Path) -> None:
    """.yaml is as good as .yml."""
    assert (
        reader.read_environment(write(tmp_path, environments__dev_yaml="a: 1"), "dev").file == "environments/dev.yaml"
    )


@pytest.mark.parametrize("name", ["../secret", "a/b", "", ".", "..", "dev.yml\0", "x" * 5000, "-"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    """A name is a name, not a path."""
    write(tmp_path, secret_yml="a: 1", environments__a__b_yml="a: 1")
    assert problem(reader.read_environment, tmp_path, name)[1] == "AML101"
    assert problem(reader.read_template, tmp_path, name)[1] == "AML101"


def test_a_missing_environment_names_its_nearest(tmp_path: Path) -> None:
    """What was probably meant, else what there is."""
    write(tmp_path, environments__dev_yml="", environments__prod_yml="")
    assert problem(reader.read_environment, tmp_path, "prd") == (
        "environments/prd.yml:1:1", "AML101", "There is no environment 'prd'.", "Did you mean prod?",
    )  # fmt: skip
    assert problem(reader.read_environment, tmp_path, "zzz")[3] == "Known: dev, prod."
    nowhere = "Change to the folder that contains environments/ and templates/, or add environments/dev.yml."
    assert problem(reader.read_environment, tmp_path / "nowhere", "dev")[3] == nowhere
    assert problem(reader.read_template, tmp_path / "nowhere", "mip")[3] == "Add the folder templates/mip."


def test_what_is_there_and_cannot_be_read_is_not_called_absent(tmp_path: Path) -> None:
    """A broken link, a folder instead of a file, a file instead of a folder, invalid characters: each has its
    message.
    """
    write(tmp_path, environments__folder_yml__x="", templates__file="")
    (tmp_path / "environments" / "link.yml").symlink_to("nowhere")
    (tmp_path / "environments" / "a b.yml").touch()
    (tmp_path / "templates" / "Üñï").mkdir()
    letters = "Use letters from a to z, digits, dots, dashes and underscores, and start with a letter or digit."
    assert problem(reader.read_environment, tmp_path, "link")[2:] == (
        "link.yml is a broken link.", "Replace it with a file.",
    )  # fmt: skip
    assert problem(reader.read_environment, tmp_path, "folder")[2:] == (
        "folder.yml is not a file.",
        "Replace it with a file.",
    )
    assert problem(reader.read_environment, tmp_path, "a b")[2:] == ("'a b' is not a valid environment name.", letters)
    assert problem(reader.read_template, tmp_path, "file")[2:] == ("file is not a folder.", "Replace it with a folder.")
    assert problem(reader.read_template, tmp_path, "Üñï")[2:] == ("'Üñï' is not a valid template name.", letters)
    assert problem(reader.read_environment, tmp_path, "lnk")[3] == "Add environments/lnk.yml."


def test_an_environment_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """One of the two would be lost."""
    write(tmp_path, environments__dev_yml="a: 1", environments__dev_yaml="a: 2")
    assert problem(reader.read_environment, tmp_path, "dev") == (
        "environments/dev.yaml:1:1", "AML101", "dev.yml exists, too.", "Remove one of the two.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "place", "code"),
    [
        (b"a: 1\nb: \xff", "environments/dev.yml:2:4", "AML102"),
        ("é: \xff".encode("utf-16"), "environments/dev.yml:1:1", "AML102"),
        (b"a" * (2**20 + 1), "environments/dev.yml:1:1", "AML104"),
        (b"a: \x00", "environments/dev.yml:1:4", "AML102"),
        (b"a: [", "environments/dev.yml:1:5", "AML103"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, place: str, code: str) -> None:
    """Encoding, size and characters have their bounds."""
    write(tmp_path, environments__dev_yml=content)
    assert problem(reader.read_environment, tmp_path, "dev")[:2] == (place, code)


def test_byte_order_marks_and_crlf_are_accepted(tmp_path: Path) -> None:
    """Files come from all kinds of editors."""
    write(tmp_path, environments__dev_yml=b"\xef\xbb\xbfa: 1\r\nb: 2\rc: 3\n")
    source = reader.read_environment(tmp_path, "dev")
    assert source.value == {"a": 1, "b": 2, "c": 3}
    assert str(source.place(("c",))) == "environments/dev.yml:3:4"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.text(alphabet="a:- \n{}[]'\"#&*!|>%@\t0").map(str.encode))
def test_any_file_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    """No content gets anything but a value or a SpecError out of the reader."""
    write(tmp_path, environments__dev_yml=content)
    try:
        reader.read_environment(tmp_path, "dev")
    except SpecError as error:
        places = [found.place.file for found in error.problems]
    else:
        places = ["environments/dev.yml"]
    assert places == ["environments/dev.yml"]


def test_a_pair_of_plain_files_is_a_template(tmp_path: Path) -> None:
    """Files for `az ml` work unchanged."""
    write(tmp_path, templates__m__endpoint_yml="name: x", templates__m__deployment_yml="name: y")
    files = reader.read_template(tmp_path, "m")
    assert (files.endpoint, files.deployments, files.pipeline) == ("m/endpoint.yml", ("m/deployment.yml",), None)
    assert files.read("m/endpoint.yml") == "name: x"
    assert files.folder == tmp_path / "templates/m"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["deployment.yml.j2"], ["deployment.yml.j2"]),
        (["blue-deployment.yml", "green-deployment.yml"], ["blue-deployment.yml", "green-deployment.yml"]),
        (["deployments/blue.yaml.j2", "deployments/a.yml"], ["deployments/a.yml", "deployments/blue.yaml.j2"]),
        (["deployment.yml", "notes.yml", "deployments/.x.yml", "deployments/read.me"], ["deployment.yml"]),
    ],
)
def test_several_deployments_are_found(tmp_path: Path, names: list[str], expected: list[str]) -> None:
    """One file, one a slot, or a folder of them."""
    folder = tmp_path / "templates" / "m"
    (folder / "deployments").mkdir(parents=True)
    for name in ("endpoint.yml.j2", "pipeline.yaml", *names):
        (folder / name).touch()
    files = reader.read_template(tmp_path, "m")
    assert [name.removeprefix("m/") for name in files.deployments] == expected
    assert (files.endpoint, files.pipeline) == ("m/endpoint.yml.j2", "m/pipeline.yaml")


def test_missing_files_of_a_template_are_listed(tmp_path: Path) -> None:
    """An endpoint file and a deployment file are needed, each once."""
    write(tmp_path, templates__m__pipeline_yml="", templates__m__endpoint_yml="", templates__m__endpoint_yml_j2="")
    with pytest.raises(SpecError) as caught:
        reader.read_template(tmp_path, "m")
    assert [(found.place.file, found.cause) for found in caught.value.problems] == [
        ("templates/m/deployment.yml.j2", "The template 'm' has no deployment file."),
        ("templates/m/endpoint.yml.j2", "endpoint.yml exists, too."),
    ]


def test_a_missing_template_is_placed_where_it_is_named(tmp_path: Path) -> None:
    """The environment is the file to fix."""
    (tmp_path / "templates" / "medimageparse").mkdir(parents=True)
    place = Place("environments/dev.yml", 7, 15)
    assert problem(reader.read_template, tmp_path, "medimagepars", place) == (
        "environments/dev.yml:7:15", "AML101", "There is no template 'medimagepars'.", "Did you mean medimageparse?",
    )  # fmt: skip


def test_reading_stays_below_the_templates(tmp_path: Path) -> None:
    """Neither dots, nor roots, nor links lead out."""
    write(
        tmp_path, secret="x", templates__m__endpoint_yml="a: 1", templates__m__deployment_yml="", templates__part_j2="y"
    )
    (tmp_path / "templates" / "m" / "link").symlink_to(tmp_path / "secret")
    read = reader.read_template(tmp_path, "m").read
    assert [read(name) for name in ("../secret", str(tmp_path / "secret"), "m/link", "m", "a\0b", "m/nothing")] == [
        None
    ] * 6
    assert read("part.j2") == "y"
