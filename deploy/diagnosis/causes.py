"""The table of causes of failed deployments: the patterns of each cause, the fields to change, and how to fix it.

The first row that matches wins. The order: causes that prevent the start of a container, causes in the log of the
storage initializer, causes that end a started container; in each group, strong evidence before weak evidence. "User
container has crashed or terminated" matches no row: Azure returns it whenever a container did not start.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

HARMLESS = re.compile(r"\btelemetry\b|\bno model need to download\b|downloaded successfully", re.IGNORECASE)


@dataclass(frozen=True)
class Cause:
    """One row: its error codes, and patterns for Azure's message, the storage initializer's log and the server's log.

    `sentence` describes the cause. `fields`: the fields of the files to change, the best first.
    """

    cause: str
    sentence: str
    fields: tuple[str, ...]
    cure: str
    codes: frozenset[str] = frozenset()
    azure: re.Pattern[str] | None = None
    initializer: re.Pattern[str] | None = None
    server: re.Pattern[str] | None = None


def _row(
    cause: str,
    sentence: str,
    fields: str,
    cure: str,
    *,
    codes: str = "",
    azure: str = "",
    initializer: str = "",
    server: str = "",
) -> Cause:
    patterns = [re.compile(text, re.IGNORECASE) if text else None for text in (azure, initializer, server)]
    return Cause(cause, sentence, tuple(fields.split()), cure, frozenset(codes.split()), *patterns)


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
    _row("capacity", "The region has no free machine of this size now.", "",
         "Wait and apply again, or use another size or region",
         codes="AML316", azure=r"OutOfCapacity|AllocationFailed|(?:lack of|no|not enough) (?:[\w-]+ ){0,4}capacity"),
    _row("shared_pool", "The shared quota pool is full.", "quota.capacity",
         "Wait and apply again, or set quota.capacity to dedicated",
         codes="AML311", azure=r"Simultaneous count exceeded"),
    _row("quota", "There are not enough cores, clusters or endpoints.", "instance_type",
         "Free cores, use smaller or fewer instances, or request more quota",
         codes="AML310 AML312 AML315", azure=r"not enough quota"),
    _row("unschedulable", "The container requests more resources than the machine has.", "instance_type",
         "Use a larger instance_type, or request less",
         codes="AML317", azure=r"PodUnschedulable", server=r"\bFailedScheduling\b|PodUnschedulable"),
    _row("no_server", "The deployment has no scoring server.", "code_configuration environment",
         "Add code_configuration and environment, or an environment with inference_config, or use an MLflow model",
         codes="AML357", azure=r"\bMissingDriverProgram\b"),
    _row("environment_missing", "The environment in the files does not exist.", "environment",
         "Check its name and version, and that it exists in this workspace",
         azure=r"\benvironment '[^']*' was not found|/environments/[^/\s]+/versions/\S+ .{0,40}not found"),
    _row("image_build", "The build of the environment's image failed.",
         "environment.conda_file environment.build environment",
         "Read the image build log. Pin the packages, or build the image beforehand",
         codes="AML341", azure=r"ImageBuildFailure",
         server=r"ResolvePackageNotFound|Could not solve for environment|No matching distribution found"),
    _row("secrets", "A secret reference is wrong, or the identity is not allowed to read the secret.",
         "environment_variables",
         "Check the secret reference, and that the endpoint's identity has a role that can read it",
         codes="AML342", azure=r"SecretsInjectionError", server=r"SecretsInjectionError"),
    _row("disk", "The image and the model do not fit on the machine's disk.", "instance_type",
         "Use an instance_type with a larger disk, or make the image and the model smaller",
         codes="AML313", azure=_DISK, initializer=_DISK, server=_DISK),
    _row("role", "The endpoint's identity lacks a role.", "roles",
         "Assign Storage Blob Data Reader on the storage and AcrPull on the registry to the endpoint's identity",
         codes="AML344 AML346", azure=r"AuthorizationPermissionMismatch|\bAcrPull\b",
         initializer=_DENIED + r"|\b403\b.*\bForbidden\b",
         server=_DENIED + r"|failed to pull image .*(?:unauthori[sz]ed|denied|authentication required)"),
    _row("model_download", "The model's files cannot be downloaded.", "model",
         "Check that the model is registered and that its files exist",
         codes="AML348", azure=r"BlobNotFound",
         initializer=rf"BlobNotFound|{_MODEL}.{{0,300}}\bnot found\b|{_MODEL}.{{0,300}}could not be downloaded"
         rf"|(?:fail|error|unable)\w* .{{0,60}}\bdownload\w* .{{0,60}}{_MODEL}"
         rf"|\bdownload\w* .{{0,60}}{_MODEL}.{{0,300}}\b(?:fail|error)"),
    _row("image_pull", "The image cannot be pulled.", "environment.image environment",
         "Check the image's name and tag, and that the registry can be reached",
         codes="AML347", azure=_PULL, server=_PULL),
    _row("out_of_memory", "The model and the code need more memory than the machine has.", "instance_type",
         "Use an instance_type with more memory, or load less",
         codes="AML314", azure=_OOM, initializer=_OOM, server=_OOM),
    _row("worker_timeout", "The start of a worker takes longer than the scoring server allows.",
         "environment_variables.WORKER_TIMEOUT",
         "Raise WORKER_TIMEOUT (seconds), or load less in init()",
         server=r"\bWORKER TIMEOUT\b"),
    _row("init_failed", "The scoring script fails during its start.",
         "code_configuration.scoring_script environment",
         "Fix the scoring script, or add the package that the log names to its environment",
         azure=r"UserScript(?:Init|Import|Function)\w+",
         server=r"Traceback \(most recent call last\)|UserScript(?:Init|Import|Function)\w+|\binit\(\) (?:fail|raised)"
         r"|Exception in worker process|Worker failed to boot|\b(?:ModuleNotFound|Import)Error\b"
         r"|\bexited with (?:code|status) [1-9]\d?\b"),
    _row("probe_too_early", "The health probes fail before the model is loaded.", "liveness_probe.initial_delay",
         "Allow more time before the first health probe",
         azure=_PROBE, server=_PROBE),
    _row("out_of_memory", "The container was killed, most likely because it used too much memory.", "instance_type",
         "Use an instance_type with more memory, or load less",
         azure=r"exit code:? 137", server=r"exit(?:ed with)? code:? 137"),
)  # fmt: skip
