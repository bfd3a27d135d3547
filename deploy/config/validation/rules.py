"""Rules for several fields, documents or files: what Azure refuses but azure-ai-ml's loader accepts.

Each function yields problems. Fields with problems of their own are not in `valid` and are skipped.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from deploy import probes
from deploy.config.validation import folders
from deploy.config.validation.assets import assets
from deploy.config.validation.schema import Checked, problem
from deploy.documents.local_paths import local_paths
from deploy.documents.locations import FieldPath, Source, at, did_you_mean
from deploy.documents.pipeline import Pipeline
from deploy.documents.rollout import MIN_BAKE, Rollout
from deploy.domain import leases
from deploy.domain.arm import Json
from deploy.domain.put_merge import is_ours
from deploy.errors import Place, Problem
from deploy.redact import redact_values
from deploy.sanitize import sanitize

Problems = Iterator[Problem]
_MOST_TAGS, _LONGEST_NAME, _LONGEST_VALUE = 40, 512, 256
"""Azure's limits for tags: 50 per resource, of which 10 are reserved for amldeploy."""
_NOT_IN_TAGS = frozenset("<>%&\\?/")


def environment(checked: Checked) -> Problems:
    """`project` is required, because two repositories can share a workspace and use the same file name and key."""
    source, cloud = checked.source, checked.valid.get("cloud", "local")
    if cloud != "local" and at(source.value, ("project",)) is None:
        cause = f"project is missing and cloud is {cloud}: other repositories may use the same workspace."
        cure = "Add `project: NAME` with a short name for this repository that is unique in the workspace."
        yield problem(source, ("cloud",), "AML139", cause, cure)


def endpoint(checked: Checked, names: list[str | None]) -> Problems:
    source, document = checked.source, checked.valid
    traffic, mirror = document.get("traffic") or {}, document.get("mirror_traffic") or {}
    if sum(traffic.values()) not in (0, 100):
        cause = f"The traffic adds up to {sum(traffic.values())}; it must be 100, or 0 for no traffic."
        yield problem(source, ("traffic",), "AML124", cause, "Change the percentages.")
    for field in ("traffic", "mirror_traffic"):
        for name in document.get(field) or {}:
            if None not in names and name not in names:
                cause = f"There is no deployment {name!r} in this template."
                yield Problem(source.key((field, name)), "AML124", cause, did_you_mean(name, filter(None, names)))
    automatic = len(names) == 1 and at(source.value, ("traffic",)) is None
    yield from _mirror(source, mirror, traffic, automatic=automatic)
    yield from _identity(source, document.get("identity") or {})


def _mirror(source: Source, mirror: Mapping[str, int], traffic: Mapping[str, int], *, automatic: bool) -> Problems:
    """`automatic`: amldeploy chooses the slot that receives traffic, so the user cannot mirror to a certain one."""
    if len(mirror) > 1:
        cause = "Traffic can be mirrored to only one deployment."
        yield problem(source, ("mirror_traffic",), "AML125", cause, "Remove the others.")
    for name, percent in mirror.items():
        field_path = ("mirror_traffic", name)
        if percent > 50:
            cause = f"The mirrored traffic is {percent}; the maximum is 50."
            yield problem(source, field_path, "AML125", cause, "Use 50 or less.")
        if percent and traffic.get(name):
            cause = f"The deployment {name!r} has live traffic; it cannot receive mirrored traffic, too."
            yield problem(source, field_path, "AML125", cause, "Remove one of the two.")
        if percent and automatic:
            cause = f"{name!r} may receive all traffic: without a traffic map, amldeploy chooses the slot."
            cure = "Remove mirror_traffic, or add a file for each deployment and a traffic map."
            yield problem(source, field_path, "AML125", cause, cure)


def _identity(source: Source, identity: Mapping[str, Json]) -> Problems:
    given = identity.get("user_assigned_identities") or []
    field_path: FieldPath = ("identity", "user_assigned_identities")
    if identity.get("type") == "user_assigned" and not given:
        cause = "A user_assigned identity needs user_assigned_identities."
        yield problem(source, ("identity",), "AML126", cause, "Add `- resource_id: /subscriptions/...` below it.")
    if given and identity.get("type") != "user_assigned":
        cause = f"identity.type is {identity.get('type')}, so there can be no user_assigned_identities."
        yield problem(source, field_path, "AML126", cause, "Use `type: user_assigned`, or remove them.")
    for number, each in enumerate(given):
        if not each.get("resource_id"):
            yield problem(
                source, (*field_path, number), "AML126", "The identity has no resource_id.", "Add its ARM id."
            )


def deployment(checked: Checked, endpoint: Checked, folder: Path, root: Path) -> Problems:
    source, document = checked.source, checked.valid
    name, named = endpoint.valid.get("name"), document.get("endpoint_name")
    if name and named and name != named:
        cause = f"endpoint_name is {named!r}, but the name of the endpoint is {name!r}."
        yield problem(source, ("endpoint_name",), "AML131", cause, "Use the same name.")
    for field_path, path in local_paths(document, folder):
        yield from _local(source, field_path, path, root)
    yield from assets(source, document, folder)
    code = document.get("code_configuration") or {}
    if "code_configuration" in document and not (code.get("code") and code.get("scoring_script")):
        cause = "code_configuration needs both code and scoring_script."
        yield problem(source, ("code_configuration",), "AML128", cause, "Add what is missing.")
    elif code.get("code") and not _scores(folder / code["code"], code["scoring_script"]):
        cause = f"There is no file {code['scoring_script']!r} in {code['code']!r}."
        cure = did_you_mean(str(code["scoring_script"]), _names_in(folder / code["code"]), "Check the name.")
        yield problem(source, ("code_configuration", "scoring_script"), "AML128", cause, cure)
    inline = document.get("environment")
    if isinstance(inline, dict) and inline.get("image") and inline.get("build"):
        cause = "The environment has both image and build."
        yield problem(source, ("environment", "build"), "AML122", cause, "Remove one of the two.")


def _scores(code: Path, script: str) -> bool:
    """Whether the script exists; a missing folder has its own problem."""
    return not os.path.isdir(code) or os.path.isfile(code / script)  # noqa: PTH112,PTH113 these accept any text


def _local(source: Source, field_path: FieldPath, path: Path, root: Path) -> Problems:
    written = source.text(field_path)
    if not os.path.exists(path):  # noqa: PTH110 unlike Path.exists it accepts any text
        shown = os.path.relpath(path, root.resolve())
        shown = written if shown.startswith("..") else shown
        near = did_you_mean(path.name, _names_in(path.parent), "Check the path.")
        yield problem(source, field_path, "AML128", f"There is no file or folder {shown}.", near)
        return
    for cause in folders.unfit(path, written):
        yield problem(
            source, field_path, "AML134", cause, "Remove it from the folder, or replace it with a readable file."
        )


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 accepts any text
    except (OSError, ValueError):
        return []


def tags(checked: Checked) -> Problems:
    """amldeploy's own tags are reserved; they contain the manager and the release of a resource."""
    written = checked.valid.get("tags") or {}
    for name in written:
        if is_ours(name):
            cause = f"The tag {name!r} is reserved for amldeploy."
            cure = "Remove the tag, or rename it."
            yield Problem(checked.source.key(("tags", name)), "AML137", sanitize(cause), cure)
    if len(written) > _MOST_TAGS:
        cause = f"There are {len(written)} tags; the maximum is {_MOST_TAGS}, without those of amldeploy."
        yield problem(checked.source, ("tags",), "AML141", cause, f"Remove {len(written) - _MOST_TAGS}.")
    for name, value in written.items():
        yield from _refused_tag(checked.source, name, str(value))


def _refused_tag(source: Source, name: str, value: str) -> Problems:
    """Limits of Azure Resource Manager (its documentation on tag resources, "Limitations")."""
    where = source.key(("tags", name))
    shown = repr(name if len(name) <= 60 else f"{name[:57]}...")
    if bad := "".join(sorted(_NOT_IN_TAGS & set(name))):
        cure = "Choose another name, for example with . or - instead."
        yield Problem(where, "AML141", sanitize(f"The name of the tag {shown} contains {bad!r}."), cure)
    if not name.strip() or len(name) > _LONGEST_NAME:
        cause = f"The name of the tag {shown} has {len(name)} characters; it must be 1 to {_LONGEST_NAME}."
        yield Problem(where, "AML141", sanitize(cause), "Choose another name.")
    if len(value) > _LONGEST_VALUE:
        cause = f"The value of the tag {shown} has {len(value)} characters; the maximum is {_LONGEST_VALUE}."
        yield Problem(where, "AML141", sanitize(cause), "Shorten it.")


def spellings(checked: Checked) -> Problems:
    """Names of tags and properties that differ only in case, which are one name in Azure."""
    for part in ("tags", "properties"):
        first: dict[str, str] = {}
        for name in checked.valid.get(part) or {}:
            if first.setdefault(name.lower(), name) != name:
                cause = f"{part} has {first[name.lower()]!r} and {name!r}, which are one name in Azure."
                yield Problem(checked.source.key((part, name)), "AML138", sanitize(cause), "Remove one of the two.")


def names(deployments: list[Checked]) -> Problems:
    seen: dict[str, Place] = {}
    for each in deployments:
        name = each.valid.get("name")
        if name in seen:
            cause = f"The deployment {name!r} exists already at {seen[name]}."
            yield problem(each.source, ("name",), "AML132", cause, "Rename one of them.")
        elif name:
            seen[name] = each.source.place(("name",))


def pipeline(checked: Checked, endpoint: Checked, folder: Path) -> Problems:
    source, document = checked.source, checked.valid
    yield from _rollout(checked)
    if (endpoint.valid.get("identity") or {}).get("type") == "none":
        for number, role in enumerate(document.get("roles") or ()):
            if role.get("principal", "endpoint") == "endpoint":
                cause = "The endpoint has no identity that a role can be assigned to."
                yield problem(source, ("roles", number), "AML133", cause, "Add an identity, or a principal.")
    quota = document.get("quota") or {}
    if quota.get("fallback") and quota.get("capacity") != "shared":
        cause = "quota.fallback needs shared quota, but quota.capacity is not shared."
        yield problem(source, ("quota", "fallback"), "AML135", cause, "Add `capacity: shared`, or remove it.")
    probe = document.get("probe") or {}
    yield from _probe(source, {} if probe == {"from": "none"} else probe, folder)


def _rollout(checked: Checked) -> Problems:
    source, rollout = checked.source, checked.valid.get("rollout") or {}
    written = rollout.get("stages") or [100]
    stages = [int(each["traffic"] if isinstance(each, Mapping) else each) for each in written]
    if any(a >= b for a, b in itertools.pairwise(stages)) or stages[-1] != 100:
        cause = "The stages of a rollout must be ascending, and the last must be 100."
        yield problem(source, ("rollout", "stages"), "AML129", cause, "Use stages such as [10, 50, 100].")
        return
    if isinstance(written[-1], Mapping) and written[-1].get("pause"):
        cause = "The last stage has all traffic, so a run cannot pause at it."
        yield problem(source, ("rollout", "stages", len(stages) - 1), "AML129", cause, "Remove `pause`.")
    if isinstance(checked.model, Pipeline) and checked.model.rollout.gate is not None:
        yield from _gate(source, checked.model.rollout)


def _gate(source: Source, rollout: Rollout) -> Problems:
    """A gate compares two slots, and Azure's metrics of a minute arrive some minutes later."""
    if rollout.strategy == "in_place":
        cause = "rollout.gate compares two deployments, and with strategy in_place there is one."
        yield problem(source, ("rollout", "gate"), "AML129", cause, "Remove it, or use strategy blue_green.")
    elif not rollout.steps[:-1] and rollout.mirror_traffic is None:
        cause = "rollout.gate has no stage to judge: all traffic moves at once."
        yield problem(source, ("rollout", "gate"), "AML129", cause, "Add a stage, such as `stages: [10, 100]`.")
    baked: list[tuple[FieldPath, float]] = [
        (("rollout", "stages", n), each.bake or 0.0) for n, each in enumerate(rollout.steps[:-1])
    ]
    baked += [(("rollout", "mirror_traffic"), rollout.bake)] if rollout.mirror_traffic else []
    for where, bake in baked:
        if bake < MIN_BAKE:
            cause = f"The bake is {bake / 60:g} min, and a gate needs 10 min: Azure's metrics arrive minutes later."
            yield problem(source, where, "AML129", cause, "Set `rollout: {bake: 10m}` or more, or remove the gate.")


def renewable(pipeline: Checked, endpoint: Checked) -> Problems:
    """A successor needs a valid name, and enough time before the lease ends; otherwise renewal is impossible."""
    name, quota = endpoint.valid.get("name") or "", pipeline.valid.get("quota") or {}
    if quota.get("capacity") == "shared" and len(name) > leases.LONGEST_BASE:
        cause = (
            f"The name {name!r} has {len(name)} characters. On shared quota the maximum is {leases.LONGEST_BASE}, "
            "because successors add six and Azure allows 32."
        )
        yield problem(endpoint.source, ("name",), "AML136", cause, "Use a shorter name.")
    written = pipeline.model
    if isinstance(written, Pipeline) and written.quota.capacity == "shared":
        least = written.lease.drain + leases.MIN_BEFORE_END
        if written.quota.duration < least:
            cause = (
                f"A lease of {written.quota.duration / 3600:g} h is too short for a renewal: lease.drain and one hour "
                f"for the successor need {least / 3600:.3g} h."
            )
            yield problem(pipeline.source, ("quota", "duration"), "AML142", cause, "Use a longer one, up to 168h.")


def _probe(source: Source, probe: Mapping[str, Json], folder: Path) -> Problems:
    found = [*_named_by(source, probe, folder)]
    yield from found or _request(source, probe, folder)


def _named_by(source: Source, probe: Mapping[str, Json], folder: Path) -> Problems:
    """Missing keys of the probe, and missing files."""
    known = probes.TYPES.get(str(probe.get("type")))
    for field in known.REQUIRED_KEYS if known else ():
        if not probe.get(field):
            yield problem(source, ("probe",), "AML121", f"A probe of type {probe['type']} needs {field!r}.", "Add it.")
    for field in ("image", "body", "answer"):
        name = probe.get(field)
        if not name or not isinstance(name, str):
            continue
        path = folder / name
        if not os.path.isfile(path):  # noqa: PTH113 unlike Path.is_file it accepts any text
            cause = f"There is no file {name!r} in the template folder."
            yield problem(source, ("probe", field), "AML128", cause, "Check the path.")
        elif not path.resolve().is_relative_to(folder.resolve()):
            cause = f"{name!r} is outside the template folder."
            yield problem(source, ("probe", field), "AML128", cause, "Copy the file into the template folder.")


def _request(source: Source, probe: Mapping[str, Json], folder: Path) -> Problems:
    """A problem if the request of the probe cannot be built, so that it is found before a deployment exists."""
    if not probe:
        return
    if isinstance(probe.get("answer"), dict):  # its message contains a shortened copy of it
        probe = {**probe, "answer": redact_values(probe["answer"], source.secrets)}
    try:
        probes.find(str(probe["type"])).request(probe, folder)
    except probes.InvalidProbe as unfit:
        cause = f"{unfit.cause[:1].upper()}{unfit.cause[1:]}."
        yield problem(source, ("probe", unfit.field), unfit.code, cause, f"{unfit.cure}.")
