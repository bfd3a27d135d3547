"""The table of what makes deployments fail: what speaks for each cause, the fields to change, what to do. Only data.

The first row that anything speaks for wins. What never lets a container start stands first, then what the storage
initializer says, then what ends a container that has started, the surest sign before the weaker one. That a "user
container has crashed or terminated" speaks for nothing: Azure says so whenever a container did not come up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

HARMLESS = re.compile(r"\btelemetry\b|\bno model need to download\b|downloaded successfully", re.IGNORECASE)


@dataclass(frozen=True)
class Cause:
    """One row: our codes that mean it, and what is searched for in Azure's words and in the log of either container.

    `fields`: where to change something, the best first.
    """

    cause: str
    says: str
    fields: tuple[str, ...]
    cure: str
    codes: frozenset[str] = frozenset()
    said: re.Pattern[str] | None = None
    stored: re.Pattern[str] | None = None
    served: re.Pattern[str] | None = None


def _row(
    cause: str,
    says: str,
    fields: str,
    cure: str,
    *,
    codes: str = "",
    said: str = "",
    stored: str = "",
    served: str = "",
) -> Cause:
    patterns = [re.compile(text, re.IGNORECASE) if text else None for text in (said, stored, served)]
    return Cause(cause, says, tuple(fields.split()), cure, frozenset(codes.split()), *patterns)


_MODEL = r"(?:\bmodel\b|\bazureml:|\bblob\b|\bartifacts?\b)"
_DENIED = r"AuthorizationPermissionMismatch|AuthorizationFailure|does not have (?:authorization|permission)|\bAcrPull\b"
_PROBE = (
    r"(?:liveness|readiness) ?probe ?(?:has |have )?failed|failed (?:the )?(?:liveness|readiness) probe"
    r"|(?:liveness|readiness) probe .{0,40}(?:fail|timed out|refused)"
)
_PULL = r"ImagePull(?:(?:Loop)?BackOff|Fail)|ErrImagePull|manifest unknown|failed to pull image"
_OOM = r"OOMKilled|out of memory|MemoryError|OutOfMemoryError|cannot allocate memory|std::bad_alloc"
_DISK = r"no space left on device|disk quota exceeded"
CAUSES = (
    _row("capacity", "The region has no such machine free now.", "",
         "Wait and apply again, or choose another size or region",
         codes="AML316", said=r"OutOfCapacity|AllocationFailed|(?:lack of|no|not enough) (?:[\w-]+ ){0,4}capacity"),
    _row("shared_pool", "The shared quota pool is in full use.", "quota.capacity",
         "Wait and apply again, or set quota.capacity to dedicated",
         codes="AML311", said=r"Simultaneous count exceeded"),
    _row("quota", "There are not enough cores, clusters or endpoints.", "instance_type",
         "Free cores, choose a smaller or fewer instances, or ask for more quota",
         codes="AML310 AML312 AML315", said=r"not enough quota"),
    _row("unschedulable", "The container asks for more than a machine gives.", "instance_type",
         "Choose a bigger instance_type, or ask for less",
         codes="AML317", said=r"PodUnschedulable", served=r"\bFailedScheduling\b|PodUnschedulable"),
    _row("environment_missing", "The environment that the files name is not there.", "environment",
         "Check the environment's name and version, and that this workspace has it",
         said=r"\benvironment '[^']*' was not found|/environments/[^/\s]+/versions/\S+ .{0,40}not found"),
    _row("image_build", "The environment's image cannot be built.",
         "environment.conda_file environment.build environment",
         "Read the image build log; pin the packages, or build the image beforehand",
         codes="AML341", said=r"ImageBuildFailure",
         served=r"ResolvePackageNotFound|Could not solve for environment|No matching distribution found"),
    _row("secrets", "A secret reference is wrong, or the identity may not read it.", "environment_variables",
         "Check the secret reference, and that the endpoint's identity has a role that reads it",
         codes="AML342", said=r"SecretsInjectionError", served=r"SecretsInjectionError"),
    _row("disk", "Image and model do not fit on the machine's disk.", "instance_type",
         "Choose an instance_type with a bigger disk, or make image and model smaller",
         codes="AML313", said=_DISK, stored=_DISK, served=_DISK),
    _row("role", "The endpoint's identity lacks a role.", "roles",
         "Give the endpoint's identity Storage Blob Data Reader on the storage and AcrPull on the registry",
         codes="AML344 AML346", said=r"AuthorizationPermissionMismatch|\bAcrPull\b",
         stored=_DENIED + r"|\b403\b.*\bForbidden\b",
         served=_DENIED + r"|failed to pull image .*(?:unauthori[sz]ed|denied|authentication required)"),
    _row("model_download", "The model's files cannot be downloaded.", "model",
         "Check that the model is registered and its files are there",
         codes="AML348", said=r"BlobNotFound",
         stored=rf"BlobNotFound|{_MODEL}.{{0,300}}\bnot found\b|{_MODEL}.{{0,300}}could not be downloaded"
         rf"|(?:fail|error|unable)\w* .{{0,60}}\bdownload\w* .{{0,60}}{_MODEL}"
         rf"|\bdownload\w* .{{0,60}}{_MODEL}.{{0,300}}\b(?:fail|error)"),
    _row("image_pull", "The image cannot be pulled.", "environment.image environment",
         "Check the image's name and tag, and that the registry can be reached",
         codes="AML347", said=_PULL, served=_PULL),
    _row("out_of_memory", "Model and code need more memory than the machine has.", "instance_type",
         "Choose an instance_type with more memory, or load less",
         codes="AML314", said=_OOM, stored=_OOM, served=_OOM),
    _row("worker_timeout", "Start-up takes longer than the scoring server lets a worker take.",
         "environment_variables.WORKER_TIMEOUT",
         "Raise WORKER_TIMEOUT (seconds), or load less in init()",
         served=r"\bWORKER TIMEOUT\b"),
    _row("init_failed", "The scoring script fails before it can serve.",
         "code_configuration.scoring_script environment",
         "Mend what the log names: the scoring script, or a package that its environment lacks",
         said=r"UserScript(?:Init|Import|Function)\w+",
         served=r"Traceback \(most recent call last\)|UserScript(?:Init|Import|Function)\w+|\binit\(\) (?:fail|raised)"
         r"|Exception in worker process|Worker failed to boot|\b(?:ModuleNotFound|Import)Error\b"
         r"|\bexited with (?:code|status) [1-9]\d?\b"),
    _row("probe_too_early", "The probes give up before the model is loaded.", "liveness_probe.initial_delay",
         "Give the container more time before its first probe",
         said=_PROBE, served=_PROBE),
    _row("out_of_memory", "The container was killed, most likely for its memory.", "instance_type",
         "Choose an instance_type with more memory, or load less",
         said=r"exit code:? 137", served=r"exit(?:ed with)? code:? 137"),
)  # fmt: skip
