"""An import writes no secret, and extends an environment file without touching what is there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import redact
from deploy.config import files_from_endpoint
from deploy.documents import yaml12
from deploy.domain.put_merge import AZURE_VARIABLES

HEAD = "# mine\ncloud: local\n\nsubscription_id: a\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_KEY", "abcdef123"),
        ("PACS_PASSWORD", "hunter2hunter2"),
        ("STORAGE", "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abcdefghijklmnop=="),
        ("URL", "https://user:pass@host/"),
        ("ANY", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefgh"),
        ("ANY", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c"),
        ("HF_TOKEN", "hf_short"),
        ("ClientSecret", "abcdefgh"),
    ],
)
def test_what_looks_like_a_secret(name: str, value: str) -> None:
    """By its name, by its form, or because it is long and random."""
    assert redact.looks_secret(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKER_COUNT", "8"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("API_KEY", "${{keyvault:https://v/secrets/s}}"),
        ("MAX_TOKENS", "4096"),
        ("AML_APP_ROOT", "/var/azureml-app/onlinescoring"),
        ("MODEL", "azureml://registries/azureml/models/MedImageParse/versions/17"),
        ("PASSWORD", ""),
    ],
)
def test_other_values_are_no_secrets(name: str, value: str) -> None:
    """Numbers, truth values, paths, references."""
    assert not redact.looks_secret(name, value)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (HEAD, HEAD + "endpoints:\n  new:\n    template: t\n"),
        (
            HEAD + "endpoints:\n    # the first\n    old: {template: o}   # stays\n\n# below\nguards: {}\n",
            HEAD + "endpoints:\n    # the first\n    old: {template: o}   # stays\n    new:\n      template: t\n"
            "\n# below\nguards: {}\n",
        ),
        (
            HEAD + "endpoints:\n  old:\n    template: o",
            HEAD + "endpoints:\n  old:\n    template: o\n  new:\n    template: t\n",
        ),
        (HEAD + "endpoints:\n", HEAD + "endpoints:\n  new:\n    template: t\n"),
        (HEAD + "endpoints: {}\n", HEAD + "endpoints:\n  new:\n    template: t\n"),
        (
            HEAD + "endpoints: { }  # none yet\nguards: {}\n",
            HEAD + "endpoints: # none yet\n  new:\n    template: t\nguards: {}\n",
        ),
        (HEAD + "endpoints: {}", HEAD + "endpoints:\n  new:\n    template: t\n"),
        (HEAD + "endpoints: {old: {template: o}}\n", None),
        ("{cloud: local, endpoints: {}}\n", None),
    ],
)
def test_adding_an_entry_changes_nothing_else(text: str, wanted: str | None) -> None:
    """It is put at the end of the block; what cannot be extended safely is not."""
    assert files_from_endpoint.with_entry(text, yaml12.parse(text, "e.yml"), "new", "t") == wanted


@pytest.mark.parametrize("code", [True, False])
@given(st.dictionaries(st.sampled_from([*sorted(AZURE_VARIABLES), "WORKER_COUNT"]), st.just("/var/x")))
def test_variables_of_the_service_are_not_imported(code: bool, variables: dict[str, str]) -> None:
    """The service adds them to a deployment with code; without code they are the user's own."""
    held = {"codeId": "/c", "scoringScript": "score.py"} if code else None
    properties = {"environmentVariables": variables, "codeConfiguration": held, "model": "azureml:m:1"}
    body = {"name": "blue", "properties": properties, "tags": {}, "sku": {"capacity": 1}}
    endpoint = {"name": "mip", "properties": {"authMode": "Key"}, "tags": {}}
    made = files_from_endpoint.files_of(endpoint, [body], [])
    written = yaml12.parse(made.files["deployment.yml"], "d.yml").value.get("environment_variables", {})
    assert written == {name: value for name, value in variables.items() if not code or name not in AZURE_VARIABLES}


@given(
    st.lists(
        st.sampled_from(["# c", "", "  a:", "    template: x", "  b: {template: y}", "endpoints:", "z: 1"]), max_size=8
    )
)
def test_whatever_the_file_the_entry_is_added_or_nothing(lines: list[str]) -> None:
    """The result parses to the old value plus the entry, and keeps all old lines in their order."""
    text = "\n".join(["cloud: local", *lines]) + "\n"
    try:
        source = yaml12.parse(text, "e.yml")
    except yaml12.SpecError:
        return
    if not isinstance(source.value.get("endpoints") or {}, dict):
        return
    found = files_from_endpoint.with_entry(text, source, "new", "t")
    if found is not None:
        added = [line for line in found.splitlines() if line.strip() in ("new:", "template: t")]
        rest = [line for line in found.splitlines() if line not in added]
        assert [line for line in rest if line != "endpoints:"] == [
            line for line in text.splitlines() if line != "endpoints:"
        ]
        assert yaml12.parse(found, "e.yml").value["endpoints"]["new"] == {"template": "t"}
