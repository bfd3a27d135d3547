"""Commands for a resource that does not exist, or exists already, are refused with a fix."""

from __future__ import annotations

import pytest
import yaml

from deploy import commands
from deploy.domain.arm import OWNER_TAG
from deploy.errors import CloudError, Exit, Refused, UsageError
from tests.laws.conftest import World
from tests.outsider import Outsider


def test_a_probe_without_a_target_is_refused(world: World) -> None:
    """An endpoint that is absent or has no traffic cannot be probed."""
    with pytest.raises(CloudError, match=r"cannot probe mip: mip-\w+ does not exist") as refused:
        commands.probe(world.project, "law", emit=world.watch)
    assert refused.value.exit is Exit.REFUSED
    environment, specs = commands.validate(world.project, "law")
    with world.project.connect(environment):
        Outsider().endpoint(specs[0].name, properties={"authMode": "Key"})
    with pytest.raises(CloudError, match=r"cannot probe mip: mip-\w+ has no deployment with traffic"):
        commands.probe(world.project, "law", emit=world.watch)


def test_a_managed_endpoint_is_not_imported(world: World) -> None:
    """The entry of the endpoint is named, and nothing is written."""
    _, specs = commands.validate(world.project, "law")
    with pytest.raises(
        UsageError, match=r"entry mip of .*law\.yml already describes it, with templates/plain"
    ) as refused:
        commands.import_endpoint(world.project, "law", specs[0].name.upper())

    assert refused.value.code == "AML229"
    assert not (world.project.root / "templates" / specs[0].name).exists()


def test_the_tag_decides_what_a_successor_is(world: World) -> None:
    """A successor of an entry has its files; an endpoint of another owner with such a name can be imported."""
    environment, (spec,) = commands.validate(world.project, "law")
    with world.project.connect(environment):
        Outsider().endpoint(f"{spec.name}-00abc", properties={"authMode": "Key"}, tags={OWNER_TAG: spec.owner})
        Outsider().endpoint(f"{spec.name}-liver", properties={"authMode": "Key"})
        model = "azureml://registries/azureml/models/MedImageParse/versions/17"
        settings = {"endpointComputeType": "Managed", "instanceType": "Standard_NC24ads_A100_v4", "model": model}
        sku = {"name": "Default", "capacity": 1}
        Outsider().deployment(f"{spec.name}-liver", "blue", properties=settings, sku=sku)
    with pytest.raises(UsageError, match="already describes it"):
        commands.import_endpoint(world.project, "law", f"{spec.name}-00abc")

    assert commands.import_endpoint(world.project, "law", f"{spec.name}-liver").key == f"{spec.name}-liver"


def test_max_instances_counts_endpoints_that_were_not_chosen(world: World) -> None:
    """Applying one endpoint at a time does not avoid the guard; a file with fewer instances is allowed."""
    path = world.project.root / "environments" / "law.yml"
    body = yaml.safe_load(path.read_text())
    entries = {key: {"template": "plain", "values": {"release": "1", "count": 2}} for key in ("mip", "two")}
    for most in (3, 4):
        path.write_text(yaml.safe_dump({**body, "endpoints": entries, "guards": {"max_instances": most}}))
        for only in ([], ["mip"], ["two"]):
            if most == 4:
                assert commands.plan(world.project, "law", only).steps
                continue
            with pytest.raises(Refused, match=r"AML240 .* 4 instances would run") as refused:
                commands.plan(world.project, "law", only)
            assert ("2 in its files" in str(refused.value)) == bool(only)


def test_max_instances_counts_idle_slots(world: World) -> None:
    """An idle slot of an endpoint that was not chosen runs, so it counts."""
    path = world.project.root / "environments" / "law.yml"
    body = yaml.safe_load(path.read_text())
    for release, most in (("1", 4), ("2", 4), ("2", 2), ("2", 3)):
        entries = {key: {"template": "plain", "values": {"release": release}} for key in ("mip", "two")}
        path.write_text(yaml.safe_dump({**body, "endpoints": entries, "guards": {"max_instances": most}}))
        if most == 4:
            done = commands.apply(world.project, "law", ["mip"], approve=lambda *_: None, emit=world.watch)
            assert done.report.ok
        elif most == 3:
            assert commands.plan(world.project, "law", ["two"]).steps
        else:
            with pytest.raises(Refused, match=r"AML240 .* 3 instances .*mip: blue 1 \+ green 1 running, two: blue 1"):
                commands.plan(world.project, "law", ["two"])


def test_cost_guards_count_endpoints_that_were_not_chosen(world: World) -> None:
    """What runs of them, idle slots included, and what their files request."""
    path = world.project.root / "environments" / "law.yml"
    body = yaml.safe_load(path.read_text())
    entries = {key: {"template": "plain", "values": {"release": "1"}} for key in ("mip", "two", "three")}

    def write(release: str, **guards: float) -> None:
        entries["mip"]["values"] = {"release": release}
        path.write_text(yaml.safe_dump({**body, "endpoints": entries, "guards": guards}))

    for release in ("1", "2"):
        write(release)
        assert commands.apply(world.project, "law", ["mip"], approve=lambda *_: None, emit=world.watch).report.ok
    # 3.673 USD an hour each: mip has two slots, three and two have none yet.
    for guard, limit in (("max_hourly_cost", 14.692), ("max_monthly_cost", 10725.16)):
        write("2", **{guard: limit})
        assert commands.plan(world.project, "law", ["two"]).steps
        write("2", **{guard: limit - 0.001})
        with pytest.raises(
            Refused, match=r"AML256 .*mip: blue 1 x 3\.673 \+ green 1 x 3\.673 running, three: 3\.673 in"
        ):
            commands.plan(world.project, "law", ["two"])
        assert "This plan adds no cost" in " ".join(commands.plan(world.project, "law", ["mip"]).notes)


def test_an_endpoint_without_deployments_cannot_be_imported(world: World) -> None:
    """The reason is printed."""
    environment, _ = commands.validate(world.project, "law")
    with world.project.connect(environment):
        Outsider().endpoint("bare", properties={"authMode": "Key"})
    with pytest.raises(CloudError, match="it has no deployment, and a template needs at least one"):
        commands.import_endpoint(world.project, "law", "bare")


def test_another_owner_is_named_with_the_adopt_command(world: World) -> None:
    """The message has the owner and the command that moves the endpoint."""
    world.apply()
    text = (world.project.root / "environments" / "law.yml").read_text()
    (world.project.root / "environments" / "other.yml").write_text(text.replace("release: '1'", "release: 2"))
    with pytest.raises(
        Refused, match=r"AML230 .* is managed by law/mip\. .*amldeploy import --adopt -e other mip --from law/mip"
    ):
        commands.plan(world.project, "other")
