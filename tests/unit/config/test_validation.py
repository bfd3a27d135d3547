"""Documents to specs: every problem at once, each at the value that is wrong."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.config import rendering, validation
from deploy.documents import yaml12
from deploy.documents.locations import Rendered, Source, TemplateFiles
from deploy.domain import leases
from deploy.domain.spec import EndpointSpec, Environment
from deploy.errors import SpecError
from tests.project import ROOT

ENVIRONMENT = Environment("dev", "local", "00000000-0000-0000-0000-000000000001", "rg", "ws", ("mip",))
ENDPOINT = "name: mip-abc\n"
DEPLOYMENT = """\
name: blue
endpoint_name: mip-abc
model: azureml:m:1
instance_type: Standard_NC24ads_A100_v4
instance_count: 1
"""
ENVIRONMENT_FILE = """\
cloud: local
subscription_id: 00000000-0000-0000-0000-000000000001
resource_group: rg-local
workspace: mlw-local
"""


def key_of(line: str) -> str:
    return line.partition(":")[0]


def source(text: str, name: str) -> Source:
    return yaml12.parse(text, f"templates/m/{name}.yml")


def check(
    endpoint: str = ENDPOINT,
    deployment: str | list[str] = DEPLOYMENT,
    pipeline: str | None = None,
    root: Path = Path("/nowhere"),
    *,
    restored: bool = False,
) -> EndpointSpec:
    """The spec of an endpoint, given its files."""
    texts = [deployment] if isinstance(deployment, str) else deployment
    deployments = tuple(source(text, f"deployment{number or ''}") for number, text in enumerate(texts))
    rendered = Rendered(
        "mip",
        root / "templates" / "m",
        source(endpoint, "endpoint"),
        deployments,
        None if pipeline is None else source(pipeline, "pipeline"),
    )
    return validation.validate_endpoint(rendered, ENVIRONMENT, "mip", root, restored=restored)


def problems(*args: Any, **kwargs: Any) -> list[str]:
    """`file:line:column CODE cause` of each problem, without the folder."""
    with pytest.raises(SpecError) as caught:
        check(*args, **kwargs)
    return [f"{str(found.place).rsplit('/', 1)[-1]} {found.code} {found.cause}" for found in caught.value.problems]


def environment_problems(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        validation.validate_environment(yaml12.parse(text, "environments/dev.yml"))
    return [
        f"{found.place.line}:{found.place.column} {found.code} {found.cause} {found.cure}"
        for found in caught.value.problems
    ]


def test_a_valid_endpoint_becomes_a_spec() -> None:
    """The documents go through as they are written; nothing is added that the user did not set."""
    found = check()
    assert found.endpoint == {"name": "mip-abc"}
    assert found.deployments == (yaml.safe_load(DEPLOYMENT),)
    assert (found.key, found.owner, found.name, found.traffic) == ("mip", "dev/mip", "mip-abc", None)
    assert found.folder == "/nowhere/templates/m"
    assert list(found.releases) == ["blue"]


IDENTITY = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg"
    "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-1"
)
NO_IDENTITY = "identity.user_assigned_identities.0.resource_id is not the ARM id of a user-assigned identity"
KINDS_OF_IDENTITY = "it must be 'system_assigned', 'user_assigned' or 'none'."
KINDS_OF_PROBE = (
    "it must be 'http', 'medimageparse', 'medimageparse3d', 'medimageinsight', 'cxrreportgen' or 'gigapath'."
)
KUBERNETES = "This is for a Kubernetes endpoint; amldeploy supports only managed online endpoints."
ENDPOINT_CASES = [
    ("name: Abc_d", "1:7 AML123 name is not a valid name: 'Abc_d'."),
    ("name: ab", "1:7 AML123 name is 'ab'; it must be 3 or more characters long."),
    (f"name: {'a' * 33}", f"1:7 AML123 name is '{'a' * 33}'; it must be at most 32 characters long."),
    ("name: a--b", "1:7 AML123 name is not a valid name: 'a--b'."),
    ("name: abc-", "1:7 AML123 name is not a valid name: 'abc-'."),
    ("name: 1abc", "1:7 AML123 name is not a valid name: '1abc'."),
    ("name: a_b", "1:7 AML123 name is not a valid name: 'a_b'."),
    ("name:", "1:6 AML121 name is missing."),
    ("auth: key", "2:1 AML120 'auth' is not a key here."),
    ("auth_mode: Keys", "2:12 AML122 auth_mode is 'Keys'; it must be 'key', 'aml_token' or 'aad_token'."),
    ("traffic: {blue: 50}", "2:10 AML124 The traffic adds up to 50; it must be 100, or 0 for no traffic."),
    ("traffic: {blue: 101}", "2:17 AML122 traffic.blue is 101; it must be at most 100."),
    ("traffic: {blue: all}", "2:17 AML122 traffic.blue must be a whole number; it is text."),
    ("traffic: {blue: 100, gren: 0}", "2:22 AML124 There is no deployment 'gren' in this template."),
    ("mirror_traffic: {blue: 51}", "2:24 AML125 The mirrored traffic is 51; the maximum is 50."),
    ("mirror_traffic: {green: 5}", "2:18 AML124 There is no deployment 'green' in this template."),
    (
        "traffic: {blue: 100}\nmirror_traffic: {blue: 10}",
        "3:24 AML125 The deployment 'blue' has live traffic; it cannot receive mirrored traffic, too.",
    ),
    (
        "mirror_traffic: {blue: 10}",
        "2:24 AML125 'blue' may receive all traffic: without a traffic map, amldeploy chooses the slot.",
    ),
    ("compute: azureml:k8s", f"2:10 AML127 {KUBERNETES}"),
    (
        "identity: {type: user_assigned}",
        "2:11 AML126 A user_assigned identity needs user_assigned_identities.",
    ),
    (
        "identity: {type: user_assigned, user_assigned_identities: [/subscriptions/x]}",
        "2:60 AML122 identity.user_assigned_identities.0 must be a mapping; it is text.",
    ),
    (
        "identity: {type: user_assigned, user_assigned_identities: /subscriptions/x}",
        "2:59 AML122 identity.user_assigned_identities must be a list; it is text.",
    ),
    (
        "identity: {type: user_assigned, user_assigned_identities: [{client_id: x}]}",
        "2:60 AML126 The identity has no resource_id.",
    ),
    (
        "identity: {type: user_assigned, user_assigned_identities: [{}, {}]}",
        "2:59 AML122 identity.user_assigned_identities is a list; it must be at most 1 long.",
    ),
    (
        "identity: {type: user_assigned, user_assigned_identities: [{resource_id: /subscriptions/x}]}",
        f"2:74 AML122 {NO_IDENTITY}: '/subscriptions/x'.",
    ),
    (
        f"identity: {{type: system_assigned, user_assigned_identities: [{{resource_id: {IDENTITY}}}]}}",
        "2:61 AML126 identity.type is system_assigned, so there can be no user_assigned_identities.",
    ),
    (
        "identity: {type: 'system_assigned,user_assigned'}",
        f"2:18 AML122 identity.type is 'system_assigned,user_assigned'; {KINDS_OF_IDENTITY}",
    ),
    ("tags: {a: [1]}", "2:11 AML122 tags.a must be text, a number or a boolean."),
    ("tags: {amldeploy-owner: x}", "2:8 AML137 The tag 'amldeploy-owner' is reserved for amldeploy."),
    ("tags: {team: x, AMLDeploy-Noticed: y}", "2:17 AML137 The tag 'AMLDeploy-Noticed' is reserved for amldeploy."),
    ("public_network_access: true", "2:24 AML122 public_network_access is true; it must be 'enabled' or 'disabled'."),
    ("[]", "1:1 AML122 The file must contain a mapping; it is a list."),
]


@pytest.mark.parametrize(("text", "words"), ENDPOINT_CASES)
def test_endpoint_rules(text: str, words: str) -> None:
    """What Azure refuses is refused here first, at its place."""
    named = text.startswith(("name:", "["))
    assert f"endpoint.yml:{words}" in problems(text if named else ENDPOINT + text)


@pytest.mark.parametrize("written", [IDENTITY, IDENTITY.lower().replace("/providers/m", "/providers/M")])
def test_an_arm_id_has_no_case(written: str) -> None:
    """Azure itself writes resourcegroups and microsoft.managedidentity now and then."""
    identity = f"{{type: user_assigned, user_assigned_identities: [{{resource_id: {written}}}]}}"
    assert check(f"{ENDPOINT}identity: {identity}\n").endpoint["identity"]["user_assigned_identities"]


DEPLOYMENT_CASES = [
    ("instance_count: 0", "AML122 instance_count is 0; it must be at least 1."),
    ("instance_count: 51", "AML122 instance_count is 51; it must be at most 50."),
    ("instance_count: one", "AML122 instance_count must be a whole number; it is text."),
    ("instance_count: true", "AML122 instance_count must be a whole number; it is a boolean."),
    ("instance_count: 1.5", "AML122 instance_count must be a whole number; it is 1.5."),
    ("instance_count:", "AML121 instance_count is missing."),
    ("name: Blue_1", "AML123 name is not a valid name: 'Blue_1'."),
    ("endpoint_name: mip-abd", "AML131 endpoint_name is 'mip-abd', but the name of the endpoint is 'mip-abc'."),
    ("model: mip:1", "AML122 model is not a valid asset reference: 'mip:1'."),
    ("model: {name: x}", "AML121 model.path is missing."),
    ("type: kubernetes", f"AML127 {KUBERNETES}"),
    ("resources: {}", f"AML127 {KUBERNETES}"),
    (
        "scale_settings: {type: target_utilization}",
        "AML122 scale_settings.type is 'target_utilization'; it must be 'default'.",
    ),
    (
        "request_settings: {request_timeout_ms: 180001}",
        "AML122 request_settings.request_timeout_ms is 180001; it must be at most 180000.",
    ),
    (
        "request_settings: {max_concurrent_requests_per_instance: 0}",
        "AML122 request_settings.max_concurrent_requests_per_instance is 0; it must be at least 1.",
    ),
    ("liveness_probe: {initial_delay: 0}", "AML122 liveness_probe.initial_delay is 0; it must be at least 1."),
    ("liveness_probe: {success_threshold: 2}", "AML122 liveness_probe.success_threshold is 2; it must be at most 1."),
    (
        "readiness_probe: {failure_threshold: 0}",
        "AML122 readiness_probe.failure_threshold is 0; it must be at least 1.",
    ),
    (
        "readiness_probe: {initial_delay: 2147483648}",
        "AML122 readiness_probe.initial_delay is 2147483648; it must be at most 2147483647.",
    ),
    (
        "request_settings: {max_queue_wait_ms: 99999999999999999999}",
        "AML122 request_settings.max_queue_wait_ms is 99999999999999999999; it must be at most 2147483647.",
    ),
    ("tags: {Amldeploy-release: x}", "AML137 The tag 'Amldeploy-release' is reserved for amldeploy."),
    ("startup_probe: {}", "AML120 'startup_probe' is not a key here."),
    ("liveness_probe: {initial_dely: 3}", "AML120 'initial_dely' is not a key here."),
    ("data_collector: {sampling_rate: 1.1}", "AML122 data_collector.sampling_rate is 1.1; it must be at most 1.0."),
    (
        "data_collector: {rolling_rate: month}",
        "AML122 data_collector.rolling_rate is 'month'; it must be 'minute', 'hour', 'day', 'Minute', 'Hour' or 'Day'.",
    ),
    ("app_insights_enabled: maybe", "AML122 app_insights_enabled must be a boolean; it is text."),
    ("environment_variables: {A: null}", "AML122 environment_variables.A must be text, a number or a boolean."),
    ("code_configuration: {code: src}", "AML128 code_configuration needs both code and scoring_script."),
    ("code_configuration: {code: src, scoring_script: s.py}", "AML128 There is no file or folder templates/m/src."),
    ("model: {path: ./weights}", "AML128 There is no file or folder templates/m/weights."),
    ('model: {path: "a\\0b"}', "AML128 There is no file or folder templates/m/a\u2400b."),
    ("environment: {image: x, conda_file: c.yml}", "AML128 There is no file or folder templates/m/c.yml."),
    ("environment: {build: {path: ctx}}", "AML128 There is no file or folder templates/m/ctx."),
    ("environment: {image: x, build: {path: 'https://x'}}", "AML122 The environment has both image and build."),
    ("environment: {inference_config: {}}", "AML121 environment.inference_config.scoring_route is missing."),
]


@pytest.mark.parametrize(("line", "words"), DEPLOYMENT_CASES)
def test_deployment_rules(line: str, words: str) -> None:
    """What the SDK's loader lets pass and Azure refuses later is refused here."""
    kept = [old for old in DEPLOYMENT.splitlines() if key_of(old) != key_of(line)]
    found = problems(deployment="\n".join([*kept, line]))
    assert [text for text in found if text.split(" ", 1)[1] == words]


PIPELINE_CASES = [
    ("quota: {capacity: shard}", "1:19 AML122 quota.capacity is 'shard'; it must be 'dedicated' or 'shared'."),
    ("quotas: {}", "1:1 AML120 'quotas' is not a key here."),
    ("roles: [{role: '', scope: endpoint}]", "1:16 AML122 roles.0.role is ''; it must be 1 or more characters long."),
    ("roles: [{role: AcrPull, scope: here}]", "1:32 AML130 roles.0.scope is not a valid scope: 'here'."),
    (
        "roles: [{role: AcrPull, scope: endpoint, principal: somebody}]",
        "1:53 AML122 roles.0.principal is 'somebody'; it must be 'endpoint'.",
    ),
    (
        "roles: [{role: AcrPull, scope: endpoint, principal: {object_id: x, type: Group}}]",
        "1:65 AML122 roles.0.principal.object_id is not a GUID: 'x'.",
    ),
    (
        "rollout: {stages: [50, 10, 100]}",
        "1:19 AML129 The stages of a rollout must be ascending, and the last must be 100.",
    ),
    ("rollout: {stages: [10, 50]}", "1:19 AML129 The stages of a rollout must be ascending, and the last must be 100."),
    (
        "rollout: {stages: [10, 10, 100]}",
        "1:19 AML129 The stages of a rollout must be ascending, and the last must be 100.",
    ),
    (
        "rollout: {stages: [{traffic: 10}, 10, 100]}",
        "1:19 AML129 The stages of a rollout must be ascending, and the last must be 100.",
    ),
    (
        "rollout: {stages: [10, {traffic: 100, pause: true}]}",
        "1:24 AML129 The last stage has all traffic, so a run cannot pause at it.",
    ),
    ("rollout: {stages: [10, {pause: true}]}", "1:24 AML121 rollout.stages.1.traffic is missing."),
    ("rollout: {mirror_traffic: 51}", "1:27 AML122 rollout.mirror_traffic is 51; it must be at most 50."),
    (
        "rollout: {gate: {}}",
        "1:17 AML129 rollout.gate has no stage to judge: all traffic moves at once.",
    ),
    (
        "rollout: {gate: {}, stages: [10, 100], strategy: in_place}",
        "1:17 AML129 rollout.gate compares two deployments, and with strategy in_place there is one.",
    ),
    (
        "rollout: {gate: {}, stages: [10, 100], bake: 9m}",
        "1:30 AML129 The bake is 9 min, and a gate needs 10 min: Azure's metrics arrive minutes later.",
    ),
    (
        "rollout: {gate: {}, stages: [10, {traffic: 50, bake: 1m}, 100], bake: 10m}",
        "1:34 AML129 The bake is 1 min, and a gate needs 10 min: Azure's metrics arrive minutes later.",
    ),
    (
        "rollout: {gate: {error_rate: {min_increase: 5 percent}}}",
        "1:45 AML122 rollout.gate.error_rate.min_increase is not a percentage.",
    ),
    ("rollout: {gate: {rate: often}}", "1:24 AML122 rollout.gate.rate is not a rate."),
    ("rollout: {stages: [0, 100]}", "1:20 AML122 rollout.stages.0 is 0; it must be at least 1."),
    ("rollout: {stages: []}", "1:19 AML122 rollout.stages is a list; it must be at least 1 long."),
    (
        "rollout: {bake: 5 minutes}",
        "1:17 AML122 rollout.bake is not a duration.",
    ),
    ("rollout: {bake: true}", "1:17 AML122 rollout.bake must be a number; it is a boolean."),
    ("rollout: {bake: .inf}", "1:17 AML122 rollout.bake is inf; it must be at most 31536000."),
    ("rollout: {bake: .nan}", "1:17 AML122 rollout.bake is nan; it must be at least 0."),
    ("rollout: {bake: 8761h}", "1:17 AML122 rollout.bake is '8761h'; it must be at most 31536000."),
    ("retry: {deadline: 1e300}", "1:19 AML122 retry.deadline is 1e+300; it must be at most 31536000."),
    ("quota: {capacity: shared, duration: 169h}", "1:37 AML122 quota.duration is '169h'; it must be at most 604800."),
    ("probe: {type: http, timeout: 0s}", "1:30 AML122 probe.timeout is '0s'; it must be more than 0."),
    ("retry: {attempts: 0}", "1:19 AML122 retry.attempts is 0; it must be at least 1."),
    ("probe: {type: medimageparse}", "1:8 AML121 A probe of type medimageparse needs 'image'."),
    ("probe: {type: http, body: x.json}", "1:27 AML128 There is no file 'x.json' in the template folder."),
    (
        "probe: {type: htp}",
        f"1:15 AML122 probe.type is 'htp'; {KINDS_OF_PROBE}",
    ),
]


@pytest.mark.parametrize(("text", "words"), PIPELINE_CASES)
def test_pipeline_rules(text: str, words: str) -> None:
    """Our own file is held to its schema and to sense."""
    assert f"pipeline.yml:{words}" in problems(pipeline=text)


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("cloud: AzureCloud\n", ["1:8 AML139"]),
        ("cloud: AzureCloud\nproject:\n", ["1:8 AML139"]),
        ("cloud: AzureCloud\nproject: imaging-2\n", []),
        ("cloud: local\n", []),
        ("cloud: local\nproject: imaging\n", []),
        ("cloud: AzureCloud\nproject: Imaging\n", ["2:10 AML123"]),
        ("cloud: AzureCloud\nproject: a--b\n", ["2:10 AML123"]),
        ("cloud: AzureCloud\nproject: 2a\n", ["2:10 AML123"]),
        (f"cloud: AzureCloud\nproject: {'a' * 33}\n", ["2:10 AML122"]),
    ],
)
def test_outside_the_emulator_an_environment_has_a_project(lines: str, found: list[str]) -> None:
    """Its place and its form; what is left of a wrong file can still be looked at."""
    text = lines + ENVIRONMENT_FILE.removeprefix("cloud: local\n")
    surveyed = validation.survey_environment(yaml12.parse(text, "environments/dev.yml"))
    assert [f"{p.place.line}:{p.place.column} {p.code}" for p in surveyed.problems] == found


def test_project_and_protection_reach_the_spec() -> None:
    entry = "endpoints:\n  mip: {template: m, protected: true}\n  other: {template: m}\n"
    text = f"project: imaging\n{ENVIRONMENT_FILE}{entry}"
    found = validation.validate_environment(yaml12.parse(text, "environments/dev.yml")).environment
    assert (found.project, found.protected) == ("imaging", ("mip",))
    rendered = Rendered(
        "mip", Path("/nowhere"), source(ENDPOINT, "endpoint"), (source(DEPLOYMENT, "deployment"),), None
    )
    assert validation.validate_endpoint(rendered, found, "mip", Path("/nowhere")).owner == "imaging/dev/mip"


def test_all_problems_are_reported_at_once() -> None:
    """Problems of all documents are reported at once."""
    found = problems(
        "name: mip-abc\ntrafic: {}\nmirror_traffic: {blue: 60}\n",
        DEPLOYMENT.replace("instance_count: 1", "instance_count: 0").replace("mip-abc", "mip-x"),
        "probe: {type: http, body: x.json, atempts: 3}\nrollout: {stages: [5]}\n",
    )
    assert [line.split(" ")[1] for line in found] == [
        "AML131",
        "AML122",
        "AML120",
        "AML125",
        "AML125",
        "AML128",
        "AML120",
        "AML129",
    ]


def test_a_value_from_the_environment_is_placed_there() -> None:
    """The problem is in the file with the value; the message names the template, too."""
    texts = {"m/endpoint.yml": ENDPOINT, "m/deployment.yml.j2": DEPLOYMENT.replace(": 1\n", ': "{{ values.count }}"\n')}
    files = TemplateFiles("m", Path("/t/m"), "m/endpoint.yml", ("m/deployment.yml.j2",), None, texts.get)
    values = yaml12.parse("x: 1\ncount: 0\n", "environments/dev.yml").root
    rendered = rendering.render_endpoint(files, ENVIRONMENT, "mip", values)
    with pytest.raises(SpecError) as caught:
        validation.validate_endpoint(rendered, ENVIRONMENT, "mip", Path("/t"))
    (found,) = caught.value.problems
    assert str(found.place) == "environments/dev.yml:2:8"
    assert found.cause.endswith("The template uses it at templates/m/deployment.yml.j2:5:17.")


@pytest.mark.parametrize(
    ("line", "cure"),
    [
        ("instance_count: 1.0", "Use digits only, without a point or an exponent."),
        ("instance_count: 1e0", "Use digits only, without a point or an exponent."),
        ("instance_count: one", "Use digits, without quotes."),
        ("description: [a]", "Replace it with text."),
        ("description: {a: 1}", "Replace it with text."),
        ("description: true", "Use quotes."),
        ("model_mount_path: 3", "Use quotes."),
    ],
)
def test_the_cure_fits_the_written_value(line: str, cure: str) -> None:
    """Quotes around a list do not make it text, and scalars without quotes keep their type."""
    kept = [old for old in DEPLOYMENT.splitlines() if key_of(old) != key_of(line)]
    with pytest.raises(SpecError) as caught:
        check(deployment="\n".join([*kept, line]))
    assert [found.cure for found in caught.value.problems] == [cure]


def test_unknown_keys_name_their_nearest() -> None:
    """At every depth, and for keys of the right neighbourhood."""
    with pytest.raises(SpecError) as caught:
        check("name: mip-abc\ntrafic: {}\nidentity: {typ: none}\n")
    cures = {found.cause: found.cure for found in caught.value.problems}
    assert cures["'trafic' is not a key here."] == "Did you mean traffic?"
    assert cures["'typ' is not a key here."] == "Did you mean type?"


def test_what_must_be_text_is_text_as_it_was_written() -> None:
    """Container variables and tags are text in Azure; 010 stays 010, true stays true."""
    variables = "environment_variables: {A: 010, B: 1.10, C: true, D: no, E: x, F: '1'}\n"
    found = check(f"{ENDPOINT}tags: {{cost: 12}}\nproperties: {{on: True}}\n", DEPLOYMENT + variables)
    assert found.deployments[0]["environment_variables"] == {
        "A": "010", "B": "1.10", "C": "true", "D": "no", "E": "x", "F": "1",
    }  # fmt: skip
    assert (found.endpoint["tags"], found.endpoint["properties"]) == ({"cost": "12"}, {"on": "True"})


def test_collections_are_switched_in_azures_spelling() -> None:
    """The SDK takes 'True' and 'False' as text only."""
    text = "data_collector: {collections: {a: {enabled: true}, b: {enabled: 'false'}}}\n"
    found = check(deployment=DEPLOYMENT + text).deployments[0]["data_collector"]["collections"]
    assert {name: each["enabled"] for name, each in found.items()} == {"a": "True", "b": "False"}


def test_a_key_without_a_value_is_absent() -> None:
    """A loop that writes nothing below its key leaves nothing behind."""
    found = check(f"{ENDPOINT}tags:\n", DEPLOYMENT + "environment_variables:\n", "roles:\n")
    assert "tags" not in found.endpoint
    assert "environment_variables" not in found.deployments[0]
    assert found.pipeline.roles == ()


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}"])
def test_an_empty_pipeline_file_is_one_of_defaults(text: str) -> None:
    """Every key is optional."""
    assert check(pipeline=text).pipeline == check().pipeline


GREEN = DEPLOYMENT.replace("blue", "green")


def test_traffic_is_the_users_when_written() -> None:
    """The traffic map is moved out of the document; without one there is no traffic in the spec."""
    written = check(f"{ENDPOINT}traffic: {{blue: 90, green: 10}}\n", [DEPLOYMENT, GREEN])
    assert written.traffic == {"blue": 90, "green": 10}
    assert "traffic" not in written.endpoint
    mirrored = check(f"{ENDPOINT}traffic: {{blue: 100}}\nmirror_traffic: {{green: 10}}\n", [DEPLOYMENT, GREEN])
    assert mirrored.endpoint["mirror_traffic"] == {"green": 10}
    assert check(f"{ENDPOINT}mirror_traffic: {{blue: 0}}\n").traffic is None
    assert check(deployment=[DEPLOYMENT, GREEN]).traffic is None


def test_the_protect_tag_is_allowed_in_files() -> None:
    """Users may set only this one of the reserved tags; a restored document may have all of them."""
    assert check(f"{ENDPOINT}tags: {{amldeploy-protect: yes}}\n").endpoint["tags"] == {"amldeploy-protect": "yes"}
    assert check(f"{ENDPOINT}tags: {{amldeploy-alias: x}}\n", restored=True).endpoint["tags"] == {
        "amldeploy-alias": "x"
    }


def test_one_name_is_one_deployment() -> None:
    """Two files cannot describe the same deployment."""
    assert problems(deployment=[DEPLOYMENT, DEPLOYMENT]) == [
        "deployment1.yml:1:7 AML132 The deployment 'blue' exists already at templates/m/deployment.yml:1:7."
    ]


def test_a_fallback_needs_shared_quota() -> None:
    """Without `capacity: shared` there is no pool that could be full."""
    for quota in ("{fallback: dedicated}", "{capacity: dedicated, fallback: dedicated}"):
        (found,) = problems(pipeline=f"quota: {quota}")
        assert "AML135 quota.fallback needs shared quota" in found
    assert check(pipeline="quota: {capacity: shared, fallback: dedicated}").pipeline.quota.fallback == "dedicated"


@given(st.integers(1, 168 * 60), st.integers(0, 168 * 60))
def test_a_lease_leaves_time_for_its_successor(minutes: int, drain: int) -> None:
    """The minimum is the drain time plus one hour; it does not apply to dedicated quota and restored documents."""
    written = f"duration: {minutes}m}}\nlease: {{drain: {drain}m}}"
    if minutes < drain + 60:
        (found,) = problems(pipeline=f"quota: {{capacity: shared, {written}")
        assert found.startswith("pipeline.yml:1:37 AML142 ")
    else:
        assert check(pipeline=f"quota: {{capacity: shared, {written}")
    assert check(pipeline=f"quota: {{capacity: shared, {written}", restored=True)
    assert check(pipeline=f"quota: {{capacity: dedicated, {written}")


@pytest.mark.parametrize("letters", range(3, 33))
@given(hours=st.integers(0, 24 * 365 * 30))
def test_whatever_is_right_can_be_renewed(letters: int, hours: int) -> None:
    """On shared quota a name is right as long as its successor's is, whenever the lease ends."""
    name = "m" * letters
    files = ENDPOINT.replace("mip-abc", name), DEPLOYMENT.replace("mip-abc", name)
    after = leases.successor(name, leases.Lease(name, datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=hours)))
    if len(after) > 32:
        (found,) = problems(*files, pipeline="quota: {capacity: shared}")
        assert found.startswith("endpoint.yml:1:7 AML136 ")
        assert check(*files, pipeline="quota: {capacity: shared}", restored=True).name == name
    else:
        assert check(*files, pipeline="quota: {capacity: shared}").name == name
    assert check(*files).name == name


def test_an_endpoint_without_identity_gets_no_role() -> None:
    """A role of the endpoint's identity is refused without an identity."""
    found = problems(f"{ENDPOINT}identity: {{type: none}}\n", pipeline="roles: [{role: AcrPull, scope: workspace}]")
    assert found == ["pipeline.yml:1:9 AML133 The endpoint has no identity that a role can be assigned to."]


def release(text: str = DEPLOYMENT, root: Path = Path("/nowhere")) -> str:
    return next(iter(check(deployment=text, root=root).releases.values()))


CODE = DEPLOYMENT + "code_configuration: {code: src, scoring_script: score.py}\nenvironment: azureml:e:1\n"


def code_in(root: Path) -> Path:
    """The folder of the code of a template, with a script."""
    folder = root / "templates" / "m" / "src"
    folder.mkdir(parents=True)
    (folder / "score.py").write_text("1", encoding="utf-8")
    return folder


def test_ignored_files_make_no_release(tmp_path: Path) -> None:
    """Notes that are not uploaded, and line ends of another system."""
    folder = code_in(tmp_path)
    (folder / ".amlignore").write_text("*.md\n", encoding="utf-8")
    before = release(CODE, tmp_path)
    (folder / "notes.md").touch()
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "score.py").touch()
    (folder / ".amlignore").write_bytes(b"*.md\r\n")
    assert release(CODE, tmp_path) == before
    (folder / "score.py").write_text("2", encoding="utf-8")
    assert release(CODE, tmp_path) != before


def test_the_files_of_a_release_are_listed(tmp_path: Path) -> None:
    """By the part of the deployment that they are of."""
    code_in(tmp_path)
    assert list(check(deployment=CODE, root=tmp_path).files["blue"]) == ["code/score.py"]


def test_an_ignore_file_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    """azure-ai-ml would fail with it in the middle of an apply."""
    (code_in(tmp_path) / ".amlignore").write_text("ok\n[b-a]\n", encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        check(deployment=CODE, root=tmp_path)
    (problem,) = caught.value.problems
    assert problem.code == "AML128"
    assert problem.cause.startswith(
        "src cannot be read: line 2 of .amlignore is not a pattern: bad character range b-a"
    )
    assert problem.cure == "Fix the ignore file."


@pytest.mark.parametrize(
    "line",
    [
        "description: x",
        "tags: {a: b}",
        "instance_count: 3",
        "scale_settings: {type: default}",
        "$schema: https://x",
        "name: green",
    ],
)
def test_name_and_instance_count_do_not_change_the_release(line: str) -> None:
    """Names, tags and counts change without a new release."""
    kept = [old for old in DEPLOYMENT.splitlines() if key_of(old) != key_of(line)]
    assert release("\n".join([*kept, line])) == release()


@pytest.mark.parametrize(
    "line",
    [
        "model: azureml:m:2",
        "instance_type: Standard_DS3_v2",
        "environment_variables: {A: b}",
        "app_insights_enabled: true",
    ],
)
def test_the_content_of_a_deployment_determines_its_release(line: str) -> None:
    """Another model, machine or setting is another release."""
    kept = [old for old in DEPLOYMENT.splitlines() if key_of(old) != key_of(line)]
    assert release("\n".join([*kept, line])) != release()
    assert len(release()) == 12


def test_a_changed_scoring_script_is_a_new_release(tmp_path: Path) -> None:
    """Local files count with their contents."""
    script = tmp_path / "templates/m/src/score.py"
    script.parent.mkdir(parents=True)
    script.write_text("a")
    text = CODE
    before = release(text, tmp_path)
    assert release(text, tmp_path) == before
    script.write_text("b")
    assert release(text, tmp_path) != before
    assert problems(deployment=text.replace("score.py", "scor.py"), root=tmp_path) == [
        "deployment.yml:6:49 AML128 There is no file 'scor.py' in 'src'."
    ]


def test_probe_files_stay_inside_the_template(tmp_path: Path) -> None:
    """A path that leads out is refused even when there is a file."""
    (tmp_path / "templates/m").mkdir(parents=True)
    (tmp_path / "x.json").write_text("{}")
    assert problems(pipeline="probe: {type: http, body: ../../x.json}", root=tmp_path) == [
        "pipeline.yml:1:27 AML128 '../../x.json' is outside the template folder."
    ]


def test_an_environment_is_read() -> None:
    """Fields, guards and one entry an endpoint; an endpoint's value replaces a default as a whole."""
    text = (
        "values: {count: 1, tags: {a: 1}}\nendpoints:\n  mip:\n    template: m\n    values: {tags: {b: 2}}\n"
        "  other: {template: n}\nguards: {protected: true, max_instances: 4}\n"
    )
    file = validation.validate_environment(yaml12.parse(ENVIRONMENT_FILE + text, "environments/dev.yml"))
    assert (file.environment.name, file.environment.endpoints) == ("dev", ("mip", "other"))
    assert (file.environment.guards.protected, file.environment.guards.max_instances) == (True, 4)
    assert file.entries["mip"].values.value == {"count": 1, "tags": {"b": 2}}
    assert file.entries["other"].values.value == {"count": 1, "tags": {"a": 1}}
    assert (file.entries["mip"].template, str(file.entries["mip"].place)) == ("m", "environments/dev.yml:8:15")


def test_all_problems_of_an_environment_are_reported() -> None:
    """Missing and unknown keys, wrong forms and types, each at its place."""
    text = (
        "cloud: azure\nsubscription_id: 1\nworkspace: x\nendpoint: {}\nendpoints:\n  Mip: {template: [a], value: 3}\n"
    )
    found = environment_problems(text)
    assert [line.split()[:2] for line in found] == [
        ["1:1", "AML121"],
        ["1:8", "AML122"],
        ["2:18", "AML122"],
        ["3:12", "AML123"],
        ["4:1", "AML120"],
        ["6:8", "AML123"],
        ["6:19", "AML122"],
        ["6:24", "AML120"],
    ]
    assert found[0] == "1:1 AML121 resource_group is missing. Add `resource_group: ...`."
    assert found[4] == "4:1 AML120 'endpoint' is not a key here. Did you mean endpoints?"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
WHOLE = {
    "endpoint": {
        "name": "mip-abc",
        "auth_mode": "key",
        "tags": {"a": "b"},
        "traffic": {"blue": 100},
        "mirror_traffic": {},
        "identity": {"type": "user_assigned", "user_assigned_identities": [{"resource_id": IDENTITY}]},
    },
    "deployment": {
        **yaml.safe_load(DEPLOYMENT),
        "code_configuration": {"code": "src", "scoring_script": "x"},
        "environment": {"image": "x"},
        "environment_variables": {"A": 1},
        "liveness_probe": {"period": 3},
        "data_collector": {"collections": {"a": {"enabled": True}}},
        "model": {"path": "x", "tags": {"a": 1}, "version": 3},
    },
    "pipeline": {
        "roles": [{"role": "x", "scope": "endpoint", "principal": "endpoint"}],
        "rollout": {"stages": [100], "bake": "5m"},
        "probe": {"type": "http", "body": "x"},
        "retry": {"attempts": 3},
    },
}


def ways(value: Any, so_far: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [so_far, *(way for key, item in inner for way in ways(item, (*so_far, key)))]


@settings(max_examples=200)
@given(st.sampled_from(ways(WHOLE)[1:]), JSON)
def test_any_document_is_a_spec_or_a_spec_error(way: tuple[Any, ...], value: Any) -> None:
    """Any value in a document raises nothing but SpecError."""
    documents = json.loads(json.dumps(WHOLE))
    around = documents
    for part in way[:-1]:
        around = around[part]
    around[way[-1]] = value
    texts = [
        yaml.safe_dump(documents[name], default_style='"', width=9999)
        for name in ("endpoint", "deployment", "pipeline")
    ]
    try:
        found = check(texts[0], texts[1], texts[2])
    except SpecError as error:
        assert error.problems  # noqa: PT017 a spec is as good
    else:
        assert json.dumps([found.endpoint, found.deployments])


def _code(root: Path) -> Path:
    code = root / "templates" / "m" / "src"
    code.mkdir(parents=True)
    (code / "score.py").write_text("")
    return code


CODE = DEPLOYMENT + "code_configuration: {code: src, scoring_script: score.py}\nenvironment: azureml:e:1\n"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: (folder / "w.bin").symlink_to(folder / "gone"), "w.bin is a broken link"),
        (lambda folder: os.mkfifo(folder / "w.bin"), "w.bin is not a file or a folder"),
        (lambda folder: (folder / "w.bin").symlink_to("w.bin"), "w.bin is a broken link"),
    ],
)
def test_a_folder_that_cannot_be_sent_is_refused(make: Any, words: str, tmp_path: Path) -> None:
    """Broken links and pipes in a code folder are reported at the location that names the folder."""
    code = _code(tmp_path)
    assert check(deployment=CODE, root=tmp_path)
    (code / "deep").mkdir()
    make(code / "deep")
    (told,) = problems(deployment=CODE, root=tmp_path)

    assert told.startswith("deployment.yml:6:28 ")
    assert f"AML134 src/deep/{words}" in told


@pytest.mark.parametrize("whole", [True, False])
def test_a_folder_outside_of_the_project_is_named_as_it_was_written(whole: bool, tmp_path: Path) -> None:
    """With its slash, so that it can be found, whether it is there or not."""
    root, outside = tmp_path / "project", tmp_path / "src"
    (root / "templates" / "m").mkdir(parents=True)
    outside.mkdir()
    (outside / "score.py").write_text("")
    (outside / "w.bin").symlink_to("gone")
    written = str(outside) if whole else "../../../src"
    text = CODE.replace("code: src", f"code: {written}")
    assert problems(deployment=text, root=root) == [f"deployment.yml:6:28 AML134 {written}/w.bin is a broken link."]
    absent = problems(deployment=text.replace(f"{written},", f"{written}s,"), root=root)
    assert absent == [f"deployment.yml:6:28 AML128 There is no file or folder {written}s."]


def test_a_path_that_is_nearly_there_is_named(tmp_path: Path) -> None:
    """A misspelt folder or script names its neighbour."""
    _code(tmp_path)

    for wrong, near in (("src, scoring_script: scor.py", "score.py"), ("srcs, scoring_script: score.py", "src")):
        with pytest.raises(SpecError) as caught:
            check(deployment=CODE.replace("src, scoring_script: score.py", wrong), root=tmp_path)
        assert [problem.cure for problem in caught.value.problems] == [f"Did you mean {near}?"]


ENTRIES = "endpoints:\n  mip: {template: m}\n"


@pytest.mark.parametrize(
    "text",
    [
        ENVIRONMENT_FILE + "workspase: x\n" + ENTRIES,
        ENVIRONMENT_FILE.replace("workspace", "workspase") + ENTRIES,
        ENVIRONMENT_FILE.replace("cloud: local", "cloud: loco") + ENTRIES,
        ENVIRONMENT_FILE.replace("00000000-", "zero-") + ENTRIES,
        ENVIRONMENT_FILE + "guards: {protected: 7}\n" + ENTRIES,
        ENVIRONMENT_FILE + ENTRIES + "  other: {values: {}}\n",
        ENVIRONMENT_FILE + ENTRIES.replace("}", ", valeus: {}}"),
        ENVIRONMENT_FILE + ENTRIES + "  BAD_KEY: {template: m}\n",
    ],
)
def test_problems_of_an_environment_do_not_hide_those_of_templates(text: str) -> None:
    """Whatever is wrong in the file, the endpoints that it names are known, and so can be checked."""
    found = validation.survey_environment(yaml12.parse(text, "environments/dev.yml"))

    assert [problem.place.file for problem in found.problems] == ["environments/dev.yml"] * len(found.problems)
    assert found.problems
    assert found.entries["mip"].template == "m"
    with pytest.raises(SpecError):
        validation.validate_environment(yaml12.parse(text, "environments/dev.yml"))


def test_an_unknown_key_is_never_pruned_from_the_right_ones() -> None:
    """A file without problems is surveyed as it is read."""
    parsed = yaml12.parse(ENVIRONMENT_FILE + ENTRIES, "environments/dev.yml")

    assert validation.survey_environment(parsed) == validation.validate_environment(parsed)


UNFIT_PROBES = [
    ("{type: http, answer: nothing}", "answer", "AML128 There is no file 'nothing' in the template folder."),
    ("{type: http, answer: {type: strng}}", "answer", "AML411 'answer' is not a JSON Schema ("),
    ("{type: http, answer: {pattern: '('}}", "answer", "AML411 'answer' is not a JSON Schema ("),
    ("{type: http, answer: broken}", "answer", "AML411 'answer' is not a JSON Schema ("),
    ("{type: http, body: broken}", "body", "AML411 'broken' is not JSON ("),
    ("{type: medimageinsight, image: broken}", "image", "AML411 'broken' is not a PNG image."),
    ("{type: cxrreportgen, image: broken}", "image", "AML411 'broken' is not a PNG image."),
    ("{type: gigapath, image: broken}", "image", "AML411 'broken' is not a PNG image."),
    ("{type: medimageparse, image: broken, text: liver}", "image", "AML411 'broken' is not a PNG image."),
    ("{type: medimageparse, image: tile.png, text: 'a & '}", "text", "AML411 'text' has an empty prompt in 'a & '."),
    ("{type: medimageparse3d, image: broken, text: liver}", "image", "AML411 'broken': expected 348 bytes"),
]


@pytest.mark.parametrize(("probe", "field", "words"), UNFIT_PROBES)
def test_an_invalid_probe_request_is_a_problem_of_the_files(probe: str, field: str, words: str, tmp_path: Path) -> None:
    """What a probe would send and compare is read and judged offline, at the key that is to blame."""
    folder = tmp_path / "templates" / "m"
    folder.mkdir(parents=True)
    (folder / "broken").write_text("{no")
    shutil.copy(ROOT / "templates" / "gigapath" / "probe" / "tile.png", folder)
    text = f"probe: {probe}"
    (found,) = problems(pipeline=text, root=tmp_path)
    assert found.startswith(f"pipeline.yml:1:{text.index(f'{field}: ') + len(field) + 3} {words}")


def test_problems_of_probes_contain_no_secrets(tmp_path: Path) -> None:
    """The message quotes the start of an invalid schema, but no part of a secret."""
    secret = "Hunter22" * 40
    pipeline = Source(
        "templates/m/pipeline.yml",
        source(f"probe: {{type: http, answer: {{type: {secret}}}}}", "p").root,
        frozenset({secret}),
    )
    rendered = Rendered("mip", tmp_path, source(ENDPOINT, "e"), (source(DEPLOYMENT, "d"),), pipeline)
    with pytest.raises(SpecError) as caught:
        validation.validate_endpoint(rendered, ENVIRONMENT, "mip", tmp_path)
    assert "(hidden)" in str(caught.value)
    assert "Hunter22" not in str(caught.value)
