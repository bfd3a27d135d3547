"""The rules that span fields, documents or files: what Azure refuses and its SDK's loader lets pass.

Each takes documents whose fields have the right shape and yields problems; a field that has not is left out of `sound`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from deploy import probes
from deploy.config.validation import folders
from deploy.config.validation.schema import Checked, problem
from deploy.documents import Pipeline
from deploy.documents.local import local_paths
from deploy.documents.places import Source, Trail, at, did_you_mean
from deploy.domain import leases
from deploy.domain.arm import Json
from deploy.domain.preserved import is_ours
from deploy.errors import Place, Problem, sanitize
from deploy.redact import redact_values

Found = Iterator[Problem]
_MOST_TAGS, _LONGEST_NAME, _LONGEST_VALUE = 40, 512, 256
"""Azure's limits of tags: a resource has 50, of which 10 are left to ours."""
_NOT_IN_TAGS = frozenset("<>%&\\?/")


def environment(checked: Checked) -> Found:
    """Two repositories can have an environment file and a key of the same names, and share a workspace."""
    source, cloud = checked.source, checked.sound.get("cloud", "local")
    if cloud != "local" and at(source.value, ("project",)) is None:
        cause = f"There is no project, and cloud is {cloud}: other repositories may use the same workspace."
        cure = "Add `project: NAME`, a short name of this repository that no other one in the workspace has."
        yield problem(source, ("cloud",), "AML139", cause, cure)


def endpoint(checked: Checked, names: list[str | None]) -> Found:
    source, document = checked.source, checked.sound
    traffic, mirror = document.get("traffic") or {}, document.get("mirror_traffic") or {}
    if sum(traffic.values()) not in (0, 100):
        cause = f"Traffic adds up to {sum(traffic.values())}; it must be 100, or 0 for nobody."
        yield problem(source, ("traffic",), "AML124", cause, "Change the percentages.")
    for field in ("traffic", "mirror_traffic"):
        for name in document.get(field) or {}:
            if None not in names and name not in names:
                cause = f"There is no deployment {name!r} in this template."
                yield Problem(source.key((field, name)), "AML124", cause, did_you_mean(name, filter(None, names)))
    ours = len(names) == 1 and at(source.value, ("traffic",)) is None
    yield from _mirror(source, mirror, traffic, ours=ours)
    yield from _identity(source, document.get("identity") or {})


def _mirror(source: Source, mirror: Mapping[str, int], traffic: Mapping[str, int], *, ours: bool) -> Found:
    """`ours`: which deployment the callers get is not the user's to say, so none can be promised copies only."""
    if len(mirror) > 1:
        cause = "Mirrored traffic can go to one deployment only."
        yield problem(source, ("mirror_traffic",), "AML125", cause, "Keep one.")
    for name, percent in mirror.items():
        trail = ("mirror_traffic", name)
        if percent > 50:
            cause = f"Mirrored traffic is {percent}; it can be 50 at most."
            yield problem(source, trail, "AML125", cause, "Write 50 or less.")
        if percent and traffic.get(name):
            cause = f"The deployment {name!r} has live traffic; it cannot get mirrored traffic too."
            yield problem(source, trail, "AML125", cause, "Keep one of the two.")
        if percent and ours:
            cause = (
                f"{name!r} may get the callers: with one deployment file and no traffic map we choose the deployment."
            )
            cure = "Take mirror_traffic out, or give each deployment a file of its own and say who serves in traffic."
            yield problem(source, trail, "AML125", cause, cure)


def _identity(source: Source, identity: Mapping[str, Json]) -> Found:
    given = identity.get("user_assigned_identities") or []
    trail: Trail = ("identity", "user_assigned_identities")
    if identity.get("type") == "user_assigned" and not given:
        cause = "A user_assigned identity needs user_assigned_identities."
        yield problem(source, ("identity",), "AML126", cause, "Add `- resource_id: /subscriptions/...` below it.")
    if given and identity.get("type") != "user_assigned":
        cause = f"identity.type is {identity.get('type')}, so there can be no user_assigned_identities."
        yield problem(source, trail, "AML126", cause, "Write `type: user_assigned`, or remove them.")
    for number, each in enumerate(given):
        if not each.get("resource_id"):
            yield problem(source, (*trail, number), "AML126", "The identity has no resource_id.", "Add its ARM id.")


def deployment(checked: Checked, endpoint: Checked, folder: Path, root: Path) -> Found:
    source, document = checked.source, checked.sound
    name, named = endpoint.sound.get("name"), document.get("endpoint_name")
    if name and named and name != named:
        cause = f"endpoint_name is {named!r}, and the endpoint is {name!r}."
        yield problem(source, ("endpoint_name",), "AML131", cause, "Make them equal.")
    for trail, path in local_paths(document, folder):
        yield from _local(source, trail, path, root)
    code = document.get("code_configuration") or {}
    if bool(code.get("code")) != bool(code.get("scoring_script")):
        cause = "code_configuration needs both code and scoring_script."
        yield problem(source, ("code_configuration",), "AML128", cause, "Add the other one.")
    elif code.get("code") and not _scores(folder / code["code"], code["scoring_script"]):
        cause = f"There is no file {code['scoring_script']!r} in {code['code']!r}."
        cure = did_you_mean(str(code["scoring_script"]), _names_in(folder / code["code"]), "Check the name.")
        yield problem(source, ("code_configuration", "scoring_script"), "AML128", cause, cure)
    inline = document.get("environment")
    if isinstance(inline, dict) and inline.get("image") and inline.get("build"):
        cause = "The environment has both image and build."
        yield problem(source, ("environment", "build"), "AML122", cause, "Keep one of the two.")


def _scores(code: Path, script: str) -> bool:
    """Whether the script is there; a folder that is absent has its own problem."""
    return not os.path.isdir(code) or os.path.isfile(code / script)  # noqa: PTH112,PTH113 these take any text


def _local(source: Source, trail: Trail, path: Path, root: Path) -> Found:
    written = source.text(trail)
    if not os.path.exists(path):  # noqa: PTH110 unlike Path.exists it takes any text
        shown = os.path.relpath(path, root.resolve())
        shown = written if shown.startswith("..") else shown
        near = did_you_mean(path.name, _names_in(path.parent), "Check the path.")
        yield problem(source, trail, "AML128", f"There is no file or folder {shown}.", near)
        return
    for cause in folders.unfit(path, written):
        yield problem(source, trail, "AML134", cause, "Take it out of the folder, or put a readable file there.")


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 takes any text
    except (OSError, ValueError):
        return []


def tags(checked: Checked) -> Found:
    """Ours say who owns what and which release it is; written by hand they would be lost, or lie."""
    held = checked.sound.get("tags") or {}
    for name in held:
        if is_ours(name):
            cause = f"The tag {name!r} is ours to write."
            cure = "Take it out; give a tag of your own another name."
            yield Problem(checked.source.key(("tags", name)), "AML137", sanitize(cause), cure)
    if len(held) > _MOST_TAGS:
        cause = f"There are {len(held)} tags; {_MOST_TAGS} are possible beside those of amldeploy."
        yield problem(checked.source, ("tags",), "AML141", cause, f"Remove {len(held) - _MOST_TAGS}.")
    for name, value in held.items():
        yield from _refused_tag(checked.source, name, str(value))


def _refused_tag(source: Source, name: str, value: str) -> Found:
    """Limits of Azure Resource Manager (its documentation on tag resources, "Limitations")."""
    where = source.key(("tags", name))
    shown = repr(name if len(name) <= 60 else f"{name[:57]}...")
    if bad := "".join(sorted(_NOT_IN_TAGS & set(name))):
        cure = "Choose another name, for example with . or - in its place."
        yield Problem(where, "AML141", sanitize(f"The name of the tag {shown} has {bad!r} in it."), cure)
    if not name.strip() or len(name) > _LONGEST_NAME:
        cause = f"The name of the tag {shown} has {len(name)} characters; it must be 1 to {_LONGEST_NAME}."
        yield Problem(where, "AML141", sanitize(cause), "Choose another name.")
    if len(value) > _LONGEST_VALUE:
        cause = f"The value of the tag {shown} has {len(value)} characters; it can have {_LONGEST_VALUE}."
        yield Problem(where, "AML141", sanitize(cause), "Shorten it.")


def spellings(checked: Checked) -> Found:
    """Names of tags and properties that differ in case alone: Azure has one place for both."""
    for part in ("tags", "properties"):
        first: dict[str, str] = {}
        for name in checked.sound.get(part) or {}:
            if first.setdefault(name.lower(), name) != name:
                cause = f"{part} has {first[name.lower()]!r} and {name!r}, which are one name in Azure."
                yield Problem(checked.source.key((part, name)), "AML138", sanitize(cause), "Keep one of the two.")


def names(deployments: list[Checked]) -> Found:
    seen: dict[str, Place] = {}
    for each in deployments:
        name = each.sound.get("name")
        if name in seen:
            cause = f"The deployment {name!r} is also at {seen[name]}."
            yield problem(each.source, ("name",), "AML132", cause, "Give it a name of its own.")
        elif name:
            seen[name] = each.source.place(("name",))


def pipeline(checked: Checked, endpoint: Checked, folder: Path) -> Found:
    source, document = checked.source, checked.sound
    stages = (document.get("rollout") or {}).get("stages") or [100]
    if stages != sorted(set(stages)) or stages[-1] != 100:
        cause = "The stages of a rollout must grow, and the last must be 100."
        yield problem(source, ("rollout", "stages"), "AML129", cause, "Write them like [10, 50, 100].")
    if (endpoint.sound.get("identity") or {}).get("type") == "none":
        for number, role in enumerate(document.get("roles") or ()):
            if role.get("principal", "endpoint") == "endpoint":
                cause = "The endpoint has no identity that could be given a role."
                yield problem(source, ("roles", number), "AML133", cause, "Give it an identity, or name a principal.")
    quota = document.get("quota") or {}
    if quota.get("fallback") and quota.get("capacity") != "shared":
        cause = "There is nothing to fall back from: quota.capacity is not shared."
        yield problem(source, ("quota", "fallback"), "AML135", cause, "Write `capacity: shared`, or take it out.")
    yield from _probe(source, document.get("probe") or {}, folder)


def renewable(pipeline: Checked, endpoint: Checked) -> Found:
    """Whether a successor can have a name, and be made before the lease ends: otherwise it could never be renewed."""
    name, quota = endpoint.sound.get("name") or "", pipeline.sound.get("quota") or {}
    if quota.get("capacity") == "shared" and len(name) > leases.LONGEST_BASE:
        cause = (
            f"The name {name!r} has {len(name)} letters. On shared quota it can have {leases.LONGEST_BASE} at most, "
            "since its successors have six more and Azure allows 32."
        )
        yield problem(endpoint.source, ("name",), "AML136", cause, "Write a shorter one.")
    written = pipeline.model
    if isinstance(written, Pipeline) and written.quota.capacity == "shared":
        least = written.lease.drain + leases.LEAST
        if written.quota.duration < least:
            cause = (
                f"A lease of {written.quota.duration / 3600:g} h is too short to be renewed: lease.drain and one hour "
                f"for the successor are {least / 3600:.3g} h."
            )
            yield problem(pipeline.source, ("quota", "duration"), "AML142", cause, "Write a longer one, up to 168h.")


def _probe(source: Source, probe: Mapping[str, Json], folder: Path) -> Found:
    found = [*_named_by(source, probe, folder)]
    yield from found or _request(source, probe, folder)


def _named_by(source: Source, probe: Mapping[str, Json], folder: Path) -> Found:
    """What the probe lacks: keys, and the files that it names."""
    known = probes.TYPES.get(str(probe.get("type")))
    for field in known.NEEDS if known else ():
        if not probe.get(field):
            yield problem(source, ("probe",), "AML121", f"A probe of type {probe['type']} needs {field!r}.", "Add it.")
    for field in ("image", "body", "answer"):
        name = probe.get(field)
        if not name or not isinstance(name, str):
            continue
        path = folder / name
        if not os.path.isfile(path):  # noqa: PTH113 unlike Path.is_file it takes any text
            cause = f"There is no file {name!r} in the template folder."
            yield problem(source, ("probe", field), "AML128", cause, "Check the path.")
        elif not path.resolve().is_relative_to(folder.resolve()):
            cause = f"{name!r} leads out of the template folder."
            yield problem(source, ("probe", field), "AML128", cause, "Put the file into the template folder.")


def _request(source: Source, probe: Mapping[str, Json], folder: Path) -> Found:
    """Whether its request can be made: better known now than when a machine is waiting for it."""
    if not probe:
        return
    if isinstance(probe.get("answer"), dict):  # a judge quotes it, and shortens what it quotes
        probe = {**probe, "answer": redact_values(probe["answer"], source.secrets)}
    try:
        probes.find(str(probe["type"])).request(probe, folder)
    except probes.Unfit as unfit:
        cause = f"{unfit.cause[:1].upper()}{unfit.cause[1:]}."
        yield problem(source, ("probe", unfit.field), unfit.code, cause, f"{unfit.cure}.")
