"""Why a deployment failed: Azure's words and the containers' logs in, the likeliest cause and the field to change out.

The causes are those of Azure's page on troubleshooting online endpoints. Pure: nothing is asked, read or decided here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LINES = 5
"""Last lines of a container's log that stand in a report; the whole log is kept beside it."""
_LONGEST = 300


@dataclass(frozen=True)
class Diagnosis:
    """`cause` is a word, `says` its sentence, `field` where in the files to change something ("" for nowhere).

    `evidence`: the lines that speak for it. `logs`: container -> its last lines.
    """

    cause: str
    says: str
    field: str
    evidence: tuple[str, ...]
    state: str
    azure_codes: tuple[str, ...]
    logs: Mapping[str, tuple[str, ...]]

    def as_json(self) -> dict[str, object]:
        """As the report keeps it."""
        logs = {name: list(lines) for name, lines in self.logs.items()}
        return {**vars(self), "evidence": list(self.evidence), "azure_codes": list(self.azure_codes), "logs": logs}


@dataclass(frozen=True)
class _Cause:
    """One row: our codes that mean it, and what is searched for in words and logs."""

    cause: str
    says: str
    field: str
    codes: frozenset[str]
    seen: re.Pattern[str]


def _row(cause: str, says: str, field: str, codes: str, seen: str) -> _Cause:
    return _Cause(cause, says, field, frozenset(codes.split()), re.compile(seen, re.IGNORECASE))


_CAUSES = (
    _row("quota", "There are not enough cores, clusters or machines.", "instance_type",
         "AML310 AML311 AML312 AML315 AML316", r"not enough quota|OutOfQuota|Simultaneous count exceeded"),
    _row("out_of_memory", "Model and code need more memory than the machine has.", "instance_type",
         "AML314", r"OOMKilled|out of memory|MemoryError|cannot allocate memory|exit code:? 137|std::bad_alloc"),
    _row("disk", "Image and model do not fit on the machine's disk.", "instance_type",
         "AML313", r"no space left on device|disk quota exceeded"),
    _row("secrets", "A secret reference is wrong, or the identity may not read it.", "environment_variables",
         "AML342", r"SecretsInjectionError|secret .{0,60}(?:not found|forbidden)"),
    _row("role", "The endpoint's identity lacks a role.", "roles",
         "AML344 AML346", r"AuthorizationPermissionMismatch|does not have (?:authorization|permission)|AcrPull"),
    _row("image_pull", "The image cannot be pulled.", "environment.image",
         "AML347", r"ImagePullBackOff|ErrImagePull|manifest unknown|failed to pull image"),
    _row("image_build", "The environment's image cannot be built.", "environment.conda_file",
         "AML341", r"ImageBuildFailure|ResolvePackageNotFound|Could not solve for environment"
         r"|No matching distribution found"),
    _row("model_download", "The model's files cannot be downloaded.", "model",
         "AML348", r"(?:download|mount)\w* .{0,60}(?:fail|error)|(?:fail|error|unable)\w* .{0,60}download"
         r"|BlobNotFound"),
    _row("init_failed", "The scoring script fails before it can serve.", "code_configuration.scoring_script",
         "", r"Traceback \(most recent call last\)|UserScript\w+|init\(\) (?:fail|raised)|Exception in worker process"
         r"|Worker failed to boot|ModuleNotFoundError|ImportError|(?:User container|container) has crashed"),
    _row("probe_too_early", "The probes give up before the model is loaded.", "liveness_probe.initial_delay",
         "AML340", r"(?:liveness|readiness) ?probe|probe failed"),
)  # fmt: skip
_UNKNOWN = ("unknown", "Azure's words and the logs name none of the documented causes.", "")


def diagnose(
    code: str, words: str, logs: Mapping[str, str], *, azure_codes: Sequence[str] = (), state: str = ""
) -> Diagnosis:
    """The first cause of the table that Azure's words or a log speak for; what stops a container early stands first."""
    last = {name: tuple(_short(line) for line in _spoken(text)[-LINES:]) for name, text in logs.items()}
    for row in _CAUSES:
        if evidence := _evidence(row, code, words, logs):
            return Diagnosis(row.cause, row.says, row.field, evidence, state, tuple(azure_codes), last)
    cause, says, field = _UNKNOWN
    return Diagnosis(cause, says, field, (), state, tuple(azure_codes), last)


def _evidence(row: _Cause, code: str, words: str, logs: Mapping[str, str]) -> tuple[str, ...]:
    told = [_short(line) for text in logs.values() for line in _spoken(text) if row.seen.search(line)]
    if code in row.codes or row.seen.search(words):
        told.insert(0, _short(words))
    return tuple(told[:LINES])


def _spoken(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
