"""What the publisher of a model states: the sizes that it runs on, the smallest machine, and shared quota.

Registry models of the healthcare collection carry the tag `inference_compute_allow_list` and the property
`inference-min-sku-spec` (cores|GPUs|GB memory|GB disk). `SharedComputeCapacityEnabled` is a property ("True") or a tag.
Models of the workspace usually have none of these; then nothing is known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from deploy.domain.arm import Json
from deploy.preflight.check_result import CheckResult, Reason
from deploy.text import noun

_ALLOWED, _SMALLEST, _SHARED = "inference_compute_allow_list", "inference-min-sku-spec", "sharedcomputecapacityenabled"
_MEASURES = (
    ("cores", "core", "cores"),
    ("gpus", "GPU", "GPUs"),
    ("memory", "GB of memory", "GB of memory"),
    ("disk", "GB of disk", "GB of disk"),
)


def claims(body: Mapping[str, Json]) -> dict[str, Json]:
    """{allowed: sizes, smallest: [cores, GPUs, GB, GB], shared: bool, type} of an ARM body; null: not stated."""
    stated = body.get("properties") or {}
    tags, properties = stated.get("tags"), stated.get("properties")
    both = {**(properties or {}), **(tags or {})}
    sizes = re.findall(r"[A-Za-z][\w-]+", str(both.get(_ALLOWED) or ""))
    numbers = re.findall(r"\d+(?:\.\d+)?", str(both.get(_SMALLEST) or ""))
    return {
        "allowed": sizes or None,
        "smallest": [float(n) for n in numbers] if len(numbers) == len(_MEASURES) else None,
        "shared": None if tags is None and properties is None else _shared(tags or {}, properties or {}),
        "type": stated.get("modelType"),
    }


def serves(document: Mapping[str, Json]) -> bool:
    """Whether a deployment may have a scoring server besides that of its model; a registered environment may."""
    environment, code = document.get("environment"), document.get("code_configuration")
    routes = environment.get("inference_config") if isinstance(environment, Mapping) else environment
    return bool(routes or (code and code.get("code")))


def _shared(tags: Mapping[str, Json], properties: Mapping[str, Json]) -> bool:
    flag = {key.lower(): str(value).lower() for key, value in properties.items()}.get(_SHARED)
    return flag == "true" or (flag is None and _SHARED in {key.lower() for key in tags})


def check(
    looked: Mapping[str, Json], size: str, machine: Mapping[str, Json], *, shared: bool, also: str
) -> CheckResult:
    """Whether the model exists, and whether it may be deployed so.

    `looked` is {reference, exists, unread, source, newest, published, serves, ...claims}; `machine` the size's row.
    """
    reference, source = str(looked["reference"]), str(looked.get("source") or "")
    if looked["exists"] is None:
        detail = str(looked["unread"]).rstrip(". ")
        return CheckResult(reference, source, unknown=(f"whether the model exists: {detail}",))
    if not looked["exists"]:
        cure = "Check the name, which is case-sensitive, and the version"
        newest = f"; its newest version is {looked['newest']}" if looked.get("newest") else ""
        return CheckResult(reference, source, (Reason("AML210", f"there is no model {reference}{newest}", cure),))
    reasons = list(_sizes(looked, size, also) or _measures(looked, size, machine, also))
    if looked.get("serves") is False and looked.get("type") == "custom_model" and "/registries/" not in reference:
        cause = f"{reference} is a custom model, and the deployment has no scoring script and no server in an image"
        reasons.append(Reason("AML357", cause, "Add code_configuration and environment, or use an MLflow model"))
    unknown = []
    if looked.get("published") and looked.get("allowed") is None:
        unknown.append(f"whether it can run on {size}: the model does not specify it")
    if shared and looked.get("shared") is False:
        cause = (
            f"{reference} has neither the property nor the tag SharedComputeCapacityEnabled, which shared quota needs"
        )
        reasons.append(Reason("AML246", cause, "Set quota.capacity to dedicated, or deploy a model that allows it"))
    if shared and looked.get("shared") is None:
        unknown.append("whether it allows shared quota")
    return CheckResult(_words(reference, looked.get("newest")), source, tuple(reasons), tuple(unknown))


def _words(reference: str, newest: Json) -> str:
    older = newest and reference.rsplit("/", 1)[-1].rsplit(":", 1)[-1] != newest and "/labels/" not in reference
    return f"{reference}; newest is {newest}" if older and "@" not in reference else reference


def _sizes(looked: Mapping[str, Json], size: str, also: str) -> Sequence[Reason]:
    allowed = looked.get("allowed")
    if not allowed or size.lower() in {name.lower() for name in allowed}:
        return ()
    cause = (
        f"{looked['reference']} is not allowed to run on {size}: it is not among the {len(allowed)} of its {_ALLOWED}"
    )
    return (Reason("AML244", cause, f"{also}. Choose one of these" if also else f"Choose one of {', '.join(allowed)}"),)


def _measures(looked: Mapping[str, Json], size: str, machine: Mapping[str, Json], also: str) -> Sequence[Reason]:
    """Reasons from the smallest machine, only without a list of sizes: a listed size is known to work."""
    if looked.get("allowed"):
        return ()
    disk = machine.get("disk")
    has = {**machine, "disk": disk / 1024 if disk is not None else None}
    small = [
        f"{has[key]:g} of {least:g} {noun(least, one, many)}"
        for (key, one, many), least in zip(_MEASURES, looked.get("smallest") or (), strict=False)
        if has.get(key) is not None and has[key] < least
    ]
    if not small:
        return ()
    cause = f"{size} is too small for {looked['reference']}: it has {', '.join(small)} ({_SMALLEST})"
    return (Reason("AML245", cause, f"{also}. Choose a larger size" if also else "Choose a larger instance_type"),)
