"""The diff compares by meaning, and only what the user set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args, get_origin

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from deploy import diff
from deploy.diff import values
from deploy.documents.json_schema import MODELS
from deploy.domain.put_merge import AZURE_VARIABLES, merged_properties
from tests.table import samples_of

TABLES = {"endpoint": diff.ENDPOINT, "deployment": diff.DEPLOYMENT}

WORKSPACE = "/subscriptions/S/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
SAME = [
    ("model", "azureml:m:3", {"properties": {"model": "/subscriptions/s/p/workspaces/w/models/m/versions/3"}}),
    (
        "model",
        "azureml://registries/azureml/models/M/versions/1",
        {"properties": {"model": "azureml://registries/azureml/models/M/versions/1"}},
    ),
    ("app_insights_enabled", True, {"properties": {"appInsightsEnabled": True}}),
    ("egress_public_network_access", "disabled", {"properties": {"egressPublicNetworkAccess": "Disabled"}}),
    ("instance_type", "Standard_NC24ads_A100_v4", {"properties": {"instanceType": "STANDARD_NC24ADS_A100_V4"}}),
    ("instance_count", 2, {"sku": {"capacity": 2}}),
    ("description", "", {"properties": {"description": None}}),
    (
        "environment_variables",
        {"A": "1"},
        {"properties": {"environmentVariables": {"A": "1", "AML_APP_ROOT": "/", "AZUREML_MODEL_DIR": "/m"}}},
    ),
    ("tags", {"a": "1"}, {"tags": {"a": "1", "theirs": "x"}}),
    ("model", "azureml:m@latest", {"properties": {"model": "/subscriptions/s/p/workspaces/w/models/m/versions/3"}}),
    (
        "model",
        {"name": "m", "version": "3", "path": "m"},
        {"properties": {"model": f"{WORKSPACE}/models/M/versions/3"}},
    ),
    ("model", {"path": "m"}, {"properties": {"model": f"{WORKSPACE}/models/x/versions/3"}}),
    (
        "environment",
        "azureml://registries/r/environments/E/labels/latest",
        {"properties": {"environmentId": "azureml://registries/r/environments/e/versions/7"}},
    ),
    (
        "environment",
        f"azureml:{WORKSPACE}/environments/E/versions/2",
        {"properties": {"environmentId": f"{WORKSPACE.lower()}/environments/e/versions/2"}},
    ),
    (
        "code_configuration",
        {"code": "src"},
        {"properties": {"codeConfiguration": {"codeId": f"{WORKSPACE}/codes/x/versions/1"}}},
    ),
    ("private_network_connection", False, {"properties": {}}),
    ("app_insights_enabled", False, {"properties": {}}),
]


@pytest.mark.parametrize(("name", "wanted", "body"), SAME, ids=[f"{s[0]} {n}" for n, s in enumerate(SAME)])
def test_same_meaning(name: str, wanted: object, body: dict) -> None:
    """Two spellings of one value are no difference."""
    assert diff.changes({name: wanted}, body, diff.DEPLOYMENT) == ()


def test_each_change_names_its_path() -> None:
    """A change has its path, both values, and whether Azure can make it."""
    wanted = {"instance_type": "B", "request_settings": {"request_timeout_ms": 90000}, "tags": {"a": "2"}}
    actual = {"properties": {"instanceType": "A", "requestSettings": {"requestTimeout": "PT5S"}}, "tags": {"a": "1"}}

    assert diff.changes(wanted, actual, diff.DEPLOYMENT) == (
        diff.Change("instance_type", "A", "B", diff.Mutability.CREATE_ONLY),
        diff.Change("request_settings.request_timeout_ms", 5000, 90000, diff.Mutability.UPDATE),
        diff.Change("tags.a", "1", "2", diff.Mutability.UPDATE),
    )


def test_unset_is_not_compared() -> None:
    """A default of the service is never a difference."""
    assert diff.changes({}, {"properties": {"instanceType": "A"}, "tags": {"x": "y"}}, diff.DEPLOYMENT) == ()


@given(st.integers(0, 400), st.integers(0, 59), st.integers(0, 59))
def test_durations(hours: int, minutes: int, seconds: int) -> None:
    """An ISO duration in whatever parts is its seconds."""
    total = hours * 3600 + minutes * 60 + seconds

    assert diff.iso_seconds(f"PT{hours}H{minutes}M{seconds}S") == total
    assert diff.iso_seconds(f"PT{total}S") == total
    assert (
        diff.changes(
            {"liveness_probe": {"period": total}},
            {"properties": {"livenessProbe": {"period": f"PT{total}S"}}},
            diff.DEPLOYMENT,
        )
        == ()
    )


@pytest.mark.parametrize("text", ["", "P", "PT", "90s", "-PT5S", "PT5"])
def test_no_duration(text: str) -> None:
    """What is no duration has no seconds."""
    assert diff.iso_seconds(text) is None


ROWS = [pytest.param(table, row, id=f"{name} {row.yaml}") for name, table in TABLES.items() for row in table]


def _nest(path: str, value: object) -> dict:
    """{a: {k: value}} for `a.*`."""
    for part in reversed(path.replace("*", "k").split(".")):
        value = {part: value}
    return value  # type: ignore[return-value]


@pytest.mark.parametrize(("table", "row"), ROWS)
def test_each_row_finds_a_difference(table: tuple[diff.Field, ...], row: diff.Field) -> None:
    """No row is blind: what Azure does not have, or has otherwise, is one change at one path."""
    one, other = samples_of(row)

    (absent,) = diff.changes(_nest(row.yaml, one.yaml), {}, table)
    assert (absent.path, absent.before in (None, False, [])) == (row.yaml.replace("*", "k"), True)
    (changed,) = diff.changes(_nest(row.yaml, one.yaml), _nest(row.arm, other.arm), table)
    assert (changed.path, changed.before, changed.after) == (row.yaml.replace("*", "k"), other.yaml, one.yaml)
    assert changed.mutability is row.mutability


@pytest.mark.parametrize(("table", "row"), ROWS)
def test_every_row_reads_both_spellings(table: tuple[diff.Field, ...], row: diff.Field) -> None:
    """What Azure answers is read as CLI v2 writes it, and compares as the same."""
    for sample in samples_of(row):
        body = _nest(row.arm, sample.arm)

        assert diff.to_document(body, [row]) == _nest(row.yaml, sample.yaml)
        assert diff.changes(_nest(row.yaml, sample.yaml), body, table) == ()


@pytest.mark.parametrize(("table", "row"), ROWS)
def test_a_written_body_means_the_same(table: tuple[diff.Field, ...], row: diff.Field) -> None:
    """The body of a document has the field in ARM's spelling, or the path is listed as left out."""
    for sample in samples_of(row):
        document = _nest(row.yaml, sample.yaml)
        body, left_out = diff.to_body(document, table)

        if left_out:
            local = str(sample.yaml).startswith("azureml:") and "registries" not in str(sample.yaml)
            assert local or row.yaml.startswith(("environment_variables", "data_collector"))
            assert body == {}
        else:
            assert diff.changes(document, body, table) == ()
            assert diff.to_document(body, [row]) == document
            if row.conversion is values.WORD:
                assert str(body).lower() == str(_nest(row.arm, sample.arm)).lower()


@pytest.mark.parametrize("name", TABLES)
def test_every_field_has_a_row(name: str) -> None:
    """Each leaf of the documents is in the table or in LEFT_OUT with a reason, and nothing else is."""
    rows, left_out = {row.yaml for row in TABLES[name]}, diff.LEFT_OUT[name]
    met: set[str] = set()

    assert list(_unspoken(MODELS[name], "", rows | left_out.keys(), met)) == []
    assert met == rows | left_out.keys()
    assert all(left_out.values())


def _unspoken(model: type[BaseModel], prefix: str, known: set[str], met: set[str]) -> Iterator[str]:
    """Fields below a model that are not known, nor anything that they hold."""
    for attribute, field in model.model_fields.items():
        path = prefix + (field.alias or attribute)
        is_map = get_origin(field.annotation) is dict
        path += ".*" if is_map and path not in known else ""
        inner = list(_models(field.annotation))
        if path in known:
            met.add(path)
        elif inner:
            for each in inner:
                yield from _unspoken(each, f"{path}.", known, met)
        else:
            yield path


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


@pytest.mark.parametrize(
    "name", ["createdBy", "createdAt", "lastModifiedAt", "azureml.onlineendpointid", "AzureAsyncOperationUri"]
)
def test_values_added_by_the_service_are_not_differences(name: str) -> None:
    """It never shows, is not written into an imported file, and is not sent back."""
    body = {"properties": {"properties": {name: "x", "ours": "1"}}}

    assert diff.changes({"properties": {"ours": "1"}}, body, diff.ENDPOINT) == ()
    assert diff.to_document(body, diff.ENDPOINT) == {"properties": {"ours": "1"}}
    assert merged_properties(body, {}) == {"ours": "1"}


def test_only_names_of_tags_and_properties_have_no_case() -> None:
    """`Team` is the tag `team`; `PATH` is not the variable `path`."""
    body = {"tags": {"Team": "1"}, "properties": {"environmentVariables": {"PATH": "1"}}}

    assert diff.changes({"tags": {"team": "1"}}, body, diff.DEPLOYMENT) == ()
    assert [
        (change.path, change.after)
        for change in diff.changes({"environment_variables": {"path": "1"}}, body, diff.DEPLOYMENT)
    ] == [("environment_variables.path", "1"), ("environment_variables.PATH", None)]


def test_one_rate_for_all_collections() -> None:
    """The service keeps the sampling rate once a collection: one that differs is a difference."""
    held = {"a": {"samplingRate": 0.5}, "b": {"samplingRate": 1.0}}
    body = {"properties": {"dataCollector": {"collections": held}}}
    (change,) = diff.changes({"data_collector": {"sampling_rate": 0.5}}, body, diff.DEPLOYMENT)

    assert (change.before, change.after) == ({"a": 0.5, "b": 1.0}, 0.5)


def test_rates_that_differ_stay() -> None:
    """Without a rate in the files, each collection keeps its own, and there is no difference."""
    held = {
        "a": {"samplingRate": 0.5, "dataCollectionMode": "Enabled"},
        "b": {"samplingRate": 1.0, "dataCollectionMode": "Disabled"},
    }
    body = {"properties": {"dataCollector": {"collections": held}}}
    wanted = {"data_collector": {"collections": {"a": {"enabled": "True"}, "new": {"enabled": "True"}}}}
    whole = diff.fill_from_existing(wanted, body, diff.DEPLOYMENT)

    assert diff.fill_from_existing({}, body, diff.DEPLOYMENT)["data_collector"]["sampling_rate"] == {"a": 0.5, "b": 1.0}
    assert diff.changes(diff.fill_from_existing({}, body, diff.DEPLOYMENT), body, diff.DEPLOYMENT) == ()
    assert whole["data_collector"]["sampling_rate"] == {"a": 0.5}
    assert whole["data_collector"]["collections"].keys() == {"a", "new"}


ODD = st.text(st.sampled_from("*.aA-é \"'[]"), min_size=1, max_size=4)
"""Names that collide with the table's paths, or that differ in case alone."""
MAPS = st.dictionaries(ODD, st.sampled_from("12"), max_size=4)
VARIABLES = st.dictionaries(st.one_of(ODD, st.sampled_from(["AML_APP_ROOT", "HF_ENDPOINT"])), st.sampled_from("12"))


def _put(held: dict, sent: dict) -> dict:
    """What a PUT of these variables leaves: they alone, and what Azure writes by itself."""
    return {**{name: value for name, value in held.items() if name in AZURE_VARIABLES}, **sent}


@given(st.none() | VARIABLES, VARIABLES)
def test_a_plan_shows_what_a_put_does_to_variables(wanted: dict | None, held: dict) -> None:
    """Exactly the variables that differ after it; where the files have no map, none. Then the plan is empty."""
    written = {} if wanted is None else {"environment_variables": wanted}
    before = {"properties": {"environmentVariables": held}}
    sent = diff.fill_from_existing(written, before, diff.DEPLOYMENT).get("environment_variables") or {}
    after = _put(held, sent)
    shown = {(c.path.partition(".")[2], c.before, c.after) for c in diff.changes(written, before, diff.DEPLOYMENT)}

    names = held.keys() | after.keys()
    assert shown == {(n, held.get(n), after.get(n)) for n in names if held.get(n) != after.get(n)}
    assert diff.changes(written, {"properties": {"environmentVariables": after}}, diff.DEPLOYMENT) == ()
    assert wanted is not None or after == held


@given(MAPS, MAPS)
@example({"A": "1"}, {"a": "2"})
def test_one_spelling_of_a_tag_is_sent(wanted: dict, held: dict) -> None:
    """A PUT sends each tag once, in whatever case Azure has it; those that the files do not name stay."""
    wanted, held = ({n.lower(): (n, v) for n, v in tags.items()} for tags in (wanted, held))
    wanted, held = (dict(tags.values()) for tags in (wanted, held))
    sent = diff.fill_from_existing({"tags": wanted}, {"tags": held}, diff.ENDPOINT).get("tags") or {}

    assert len({name.lower() for name in sent}) == len(sent)
    assert {name.lower(): value for name, value in sent.items()} == {
        **{name.lower(): value for name, value in held.items()},
        **{name.lower(): value for name, value in wanted.items()},
    }
    assert diff.changes({"tags": wanted}, {"tags": sent}, diff.ENDPOINT) == ()


def test_a_removal_is_one_change() -> None:
    """What a PUT removes is one change, also for a release that takes the rest back to its defaults."""
    wanted, body = {"environment_variables": {}}, {"properties": {"environmentVariables": {"HF_ENDPOINT": "x"}}}
    (change,) = diff.changes(wanted, body, diff.DEPLOYMENT)

    assert (change.path, change.before, change.after, change.in_place) == (
        "environment_variables.HF_ENDPOINT",
        "x",
        None,
        True,
    )
    assert diff.resets(wanted, body, diff.DEPLOYMENT) == ()
    assert diff.resets({}, body, diff.DEPLOYMENT) == (change,)


def test_what_can_only_be_added() -> None:
    """A new property is added in place; one that is there with another value cannot be changed."""
    wanted = {"properties": {"new": "1", "old": "2"}}
    found = diff.changes(wanted, {"properties": {"properties": {"old": "1"}}}, diff.ENDPOINT)

    assert [(change.path, change.in_place) for change in found] == [("properties.new", True), ("properties.old", False)]


MADE = {"properties": {"environmentId": f"{WORKSPACE}/environments/made/versions/1"}}


@pytest.mark.parametrize(
    ("tag", "seen"),
    [
        (None, []),
        ("azureml:made:1", []),
        ("azureml:made:0", [("azureml:made:1", "azureml:made:0")]),
    ],
)
def test_the_record_contains_assets_created_from_files(tag: str | None, seen: list[tuple[str, str]]) -> None:
    """An asset that files define is held against the record of what was made of them; without one, anything will do."""
    actual = {**MADE, "tags": {"amldeploy-environment": tag} if tag else {}}
    found = diff.changes({"environment": {"image": "i"}}, actual, diff.DEPLOYMENT)

    assert [(change.before, change.after) for change in found] == seen


def test_only_what_is_made_of_files_is_recorded() -> None:
    """References need no record. A record is never longer than the limit of a tag."""
    ids = {
        "model": f"{WORKSPACE}/models/m/versions/1",
        "environment": f"{WORKSPACE}/environments/{'e' * 255}/versions/1",
    }
    wanted = {"model": "azureml:m:1", "environment": {"image": "i"}}
    (tag,) = diff.records(wanted, {**ids, "code_configuration.code": None}).items()
    actual = {"properties": {"environmentId": ids["environment"]}, "tags": dict([tag])}

    assert tag[0] == "amldeploy-environment"
    assert len(tag[1]) == 256
    assert diff.changes(wanted | {"model": None}, actual, diff.DEPLOYMENT) == ()
