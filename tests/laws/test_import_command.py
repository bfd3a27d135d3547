"""Law: `import` writes files that `validate` accepts and `plan` finds equal to Azure, or it refuses and writes nothing.

For any endpoint that another client created, any key and any form of the environment file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy import commands, emulator
from deploy.errors import DeployError
from tests.laws.stage import Stage
from tests.outsider import Outsider
from tests.table import REGISTRY

HEAD = {
    "cloud": "local", "subscription_id": "00000000-0000-0000-0000-000000000001", "resource_group": "rg-local",
    "workspace": "mlw-local",
}  # fmt: skip
FORMS = (
    "endpoints: {}\n",
    "endpoints:\n",
    "",
    "endpoints: {} # none\nguards: {}\n",
    "endpoints: {old: {template: o}}\n",
)
NAMES = st.sampled_from(["mip", "my--ep", "a-b", "on1"])
SLOTS = st.lists(
    st.sampled_from(["blue", "x--y", "endpoint", "pipeline", "gre-en"]), min_size=1, max_size=2, unique=True
)
KEYS = st.sampled_from([None, None, "My_Key", "ok", "null", "a--b", "-x", "1"])
TIMES = st.sampled_from(["PT0.5S", "PT10S", "PT1M0.25S", "PT1H"])
TEXTS = st.sampled_from(["1", "true", "a: b # c", "{{ braces }}", "${{keyvault:x}}", "sk-0123456789abcdef", "é\n\tb"])
RATES = st.sampled_from([None, 0.0, 0.25, 1.0])
COLLECTION = st.fixed_dictionaries({"dataCollectionMode": st.just("Enabled")}, optional={"samplingRate": RATES})
PROBE = st.fixed_dictionaries(
    {}, optional={"initialDelay": TIMES, "period": TIMES, "timeout": TIMES, "failureThreshold": st.integers(1, 40)}
)
DEPLOYMENTS = st.fixed_dictionaries(
    {},
    optional={
        "livenessProbe": PROBE,
        "readinessProbe": PROBE,
        "requestSettings": st.fixed_dictionaries({}, optional={"requestTimeout": TIMES, "maxQueueWait": TIMES}),
        "environmentVariables": st.dictionaries(st.sampled_from(["A", "API_KEY", "b-c"]), TEXTS, max_size=2),
        "dataCollector": st.builds(lambda some: {"collections": some}, st.dictionaries(
            st.sampled_from(["model_inputs", "request"]), COLLECTION, min_size=1)),
        "description": TEXTS,
    },
)  # fmt: skip


def files_in(root: Path) -> dict[str, bytes]:
    """Every file of the user."""
    folders = (root / "templates", root / "environments")
    return {str(path): path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


def create(stage: Stage, name: str, slots: list[str], properties: Mapping[str, Any], text: str) -> bool:
    """Another client creates the endpoint; False if Azure refuses it."""
    environment, _ = commands.validate(stage.world.project, "law")
    base = {"endpointComputeType": "Managed", "instanceType": "Standard_NC24ads_A100_v4"}
    base |= {"model": f"{REGISTRY}/models/MedImageParse/versions/17"}
    with stage.world.project.connect(environment):
        outsider = Outsider()
        try:
            outsider.endpoint(name, properties={"authMode": "Key", "description": text})
            for slot in slots:
                outsider.deployment(
                    name, slot, properties={**base, **properties}, sku={"name": "Default", "capacity": 1}
                )
        except AssertionError:
            return False
    return True


def examples(request: pytest.FixtureRequest) -> int:
    return 60 if request.config.getoption("--laws", default="some") == "full" else 4


def test_import_is_valid_or_writes_nothing(stage: Stage, request: pytest.FixtureRequest) -> None:
    """Values that look secret are set by the user before."""
    written: list[bool] = []

    @settings(
        max_examples=examples(request), deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(NAMES, SLOTS, DEPLOYMENTS, TEXTS, KEYS, st.sampled_from(FORMS))
    def law(
        name: str, slots: list[str], properties: dict[str, Any], text: str, key: str | None, form: str
    ) -> None:  # fmt: skip
        emulator.reset(stage.state)
        stage.want("1")
        if not create(stage, name, slots, properties, text):
            return
        written.append(imports(stage, name, key, form))

    law()
    assert any(written)
    assert not all(written)


def imports(stage: Stage, name: str, key: str | None, form: str) -> bool:
    """Import an endpoint; whether files were written. They are valid and describe it, or nothing was written."""
    project = stage.world.project
    path = project.root / "environments" / "theirs.yml"
    path.write_text(yaml.safe_dump(HEAD) + form)
    before = files_in(project.root)
    try:
        made = commands.import_endpoint(project, path.stem, name, key=key)
    except DeployError:
        assert files_in(project.root) == before
        return False
    written = yaml.safe_load(path.read_text())
    written["endpoints"][made.key]["values"] = dict.fromkeys(made.hidden, "changed by the user")
    path.write_text(yaml.safe_dump(written))
    commands.validate(project, path.stem, [made.key])
    if not made.hidden:
        assert [step for step in commands.plan(project, path.stem, [made.key]).steps if step.changes] == []
    for file in made.files[:-1]:
        (project.root / file).unlink()
    (project.root / made.files[0]).parent.rmdir()
    return True


ALL = {"dataCollectionMode": "Enabled"}
HALF = {**ALL, "samplingRate": 0.5}
CASES: tuple[tuple[str, list[str], dict[str, Any], str | None, str, str], ...] = (
    ("mip", ["blue"], {}, None, FORMS[0], ""),
    ("mip", ["endpoint", "pipeline"], {}, None, FORMS[1], ""),
    ("mip", ["blue"], {}, None, FORMS[4], "AML228"),
    ("mip", ["blue"], {}, "My_Key", FORMS[0], "AML227"),
    ("mip", ["blue"], {"livenessProbe": {"timeout": "PT0.5S"}}, None, FORMS[0], "AML233"),
    ("mip", ["blue"], {"dataCollector": {"collections": {"request": HALF, "model_inputs": ALL}}}, None, FORMS[0], ""),
)  # fmt: skip


@pytest.mark.parametrize(("name", "slots", "properties", "key", "form", "code"), CASES)
def test_each_form(
    stage: Stage, name: str, slots: list[str], properties: dict[str, Any], key: str | None, form: str, code: str
) -> None:
    """What must be written and what must be refused, with its error code."""
    emulator.reset(stage.state)
    stage.want("1")
    assert create(stage, name, slots, properties, "text")
    if not code:
        assert imports(stage, name, key, form)
        return
    path = stage.world.project.root / "environments" / "refused.yml"
    path.write_text(yaml.safe_dump(HEAD) + form)
    with pytest.raises(DeployError) as refused:
        commands.import_endpoint(stage.world.project, "refused", name, key=key)
    assert refused.value.code == code
