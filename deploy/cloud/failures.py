"""Azure's errors become ours, once: which are transient, which are final, what to do about each.

Azure's outer code says little (`BadRequest`) and the status of an accepted operation that failed is 200, so a failure
is judged by every nested code and by its words. The first row that matches wins. No retrying happens here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from deploy.errors import CloudError, DeployError, NotAuthenticated, Transient


@dataclass(frozen=True)
class _Row:
    """One kind of trouble: `seen` is searched in codes and words; `later` says whether Azure may yet agree.

    `patient` marks what ends by itself in its own time: it is waited for until the step's deadline, however often.
    """

    seen: re.Pattern[str]
    code: str
    later: bool
    cure: str
    patient: bool


def _row(seen: str, code: str, cure: str, *, later: bool = False, patient: bool = False) -> _Row:
    return _Row(re.compile(seen, re.IGNORECASE), code, later or patient, cure, patient)


_ROWS = (
    _row(
        r"oe-tsg#error-outofquota|Not enough quota|\bOutOfQuota\b",
        "AML310",
        "Free cores, choose a smaller or fewer instances, or ask for more quota of this VM family in this region",
    ),
    _row(
        r"Simultaneous count exceeded",
        "AML311",
        "The shared quota pool is in full use: try again later, or set quota.capacity to dedicated",
        later=True,
    ),
    _row(r"\bPrincipalNotFound\b", "AML320", "A new identity is not yet known everywhere: wait", patient=True),
    _row(r"\bRoleAssignmentLimitExceeded\b", "AML321", "Delete role assignments that nobody needs (4000 is the limit)"),
    _row(
        r"\bRoleAssignmentUpdateNotPermitted\b",
        "AML322",
        "An assignment of this name belongs to an identity that is gone: delete it, then apply again",
    ),
    _row(
        r"\bAuthorizationFailed\b|\bLinkedAuthorizationFailed\b",
        "AML323",
        "Give the signed-in principal a role that allows this action at this scope, or sign in as another",
    ),
    _row(
        r"in Updating provisioning state|\bis (?:being|currently) (?:updat|creat|delet)|EndpointBusy"
        r"|operation is already in progress"
        r"|\bOperationCanceled\b|\bConflict\w*\b.*(?:Updating|Creating|Deleting|Scaling)",
        "AML330",
        "Another operation holds the endpoint: wait for it to end",
        patient=True,
    ),
    _row(r"name already exists|\bNameUnavailable\b|already (?:in use|taken)", "AML331", "Choose another endpoint name"),
    _row(
        r"\bResourceNotReady\b|liveness probe|readiness probe",
        "AML340",
        "Read `amldeploy logs`; give the container more time (liveness_probe.initial_delay) or mend the scoring script",
    ),
    _row(r"\bImageBuildFailure\b", "AML341", "Read the image build log in the workspace's storage account"),
    _row(
        r"\bSecretsInjectionError\b",
        "AML342",
        "Check the secret reference, and the role that reads it: a new one takes up to ten minutes to work",
        later=True,
    ),
    _row(
        r"\bBadArgument\b.*(?:authoriz|permission|access)",
        "AML344",
        "The endpoint's identity may not read the model or the image: give it the role, and some minutes",
        later=True,
    ),
    _row(r"\bWorkspaceManagedNetworkNotReady\b", "AML343", "Provision the workspace's managed network first"),
    _row(
        r"\bInternalServerError\b",
        "AML350",
        "Azure failed: try again, then open a ticket with the request id",
        later=True,
    ),
)
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Everything that azure libraries raise inside leaves as one of our errors, saying `cannot <what>`."""
    try:
        yield
    except DeployError:
        raise
    except Exception as error:
        ours = translate(error, what)
        if ours is None:
            raise
        raise ours from error


def translate(error: Exception, what: str) -> DeployError | None:
    """Our error for one of azure's or requests'; None for anything else, which is a bug and stays one."""
    from azure.core import exceptions as azure
    from azure.identity import CredentialUnavailableError

    if isinstance(error, (CredentialUnavailableError, azure.ClientAuthenticationError)):
        return NotAuthenticated(
            what,
            _first_line(str(error)),
            "Sign in (az login), or set the variables of a service principal or a federated identity",
            code="AML900",
        )
    if isinstance(error, azure.HttpResponseError):
        return _from_response(error, what)
    if type(error).__module__.startswith(("azure.ai.ml", "marshmallow")):
        return CloudError(what, _first_line(str(error)), "Mend what it names", code="AML301")
    if isinstance(error, azure.AzureError):
        return Transient(what, _first_line(str(error)), "Check the network and try again", code="AML360")
    if isinstance(error, ValueError) and "json" in type(error).__module__:
        return Transient(what, "the answer is not JSON", "Something between here and Azure answered", code="AML362")
    return None


def _from_response(error: Any, what: str) -> DeployError:
    response = getattr(error, "response", None)
    headers: Mapping[str, str] = getattr(response, "headers", None) or {}
    return from_answer(what, error.status_code, _body(error), headers, words=str(error.message or ""))


def from_answer(
    what: str, status: int | None, body: Any, headers: Mapping[str, str], *, words: str = ""
) -> CloudError | NotAuthenticated:
    """Our error for an ARM answer: its status, its parsed body and its headers."""
    codes, messages = _walk(body.get("error") if isinstance(body, Mapping) else None)
    told = " ".join(dict.fromkeys(m for m in messages if m)) or _first_line(words) or f"HTTP status {status}"
    request_id = headers.get("x-ms-request-id") or headers.get("x-ms-correlation-request-id") or ""
    if status == 401:
        return NotAuthenticated(what, told, "Sign in again; the token is expired or for another tenant", code="AML901")
    seen = " ".join((*codes, told))
    for row in _ROWS:
        if row.seen.search(seen):
            ours = _make(row.later, what, told, row.cure, row.code, codes, status, request_id, headers)
            ours.patient = row.patient
            return ours
    later = status in _LATER
    cure = "Azure may agree later" if later else "See what Azure says above"
    if status == 404:
        cure = "Check the names in the environment file, and that it still exists"
    return _make(later, what, told, cure, "AML300", codes, status, request_id, headers)


def _make(
    later: bool,
    what: str,
    told: str,
    cure: str,
    code: str,
    codes: tuple[str, ...],
    status: int | None,
    request_id: str,
    headers: Mapping[str, str],
) -> CloudError:
    kind = Transient if later else CloudError
    ours = kind(what, told, cure, code=code, codes=codes, status=status, request_id=request_id)
    if isinstance(ours, Transient):
        wish = headers.get("Retry-After") or headers.get("retry-after") or ""
        ours.retry_after = float(wish) if re.fullmatch(r"\d+(\.\d+)?", wish) else None
    return ours


def _body(error: Any) -> Any:
    """The JSON of a failed answer, or of the operation that failed after it was accepted."""
    response = getattr(error, "response", None)
    try:
        return json.loads(response.text()) if response is not None else None
    except (ValueError, AttributeError, TypeError):
        return None


def _walk(error: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Every code and message, outermost first. Azure nests both in `details`."""
    if not isinstance(error, Mapping):
        return (), ()
    codes: tuple[str, ...] = (str(error.get("code") or ""),)
    messages: tuple[str, ...] = (_plain_words(str(error.get("message") or "")),)
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        more_codes, more_messages = _walk(detail)
        codes, messages = codes + more_codes, messages + more_messages
    return tuple(c for c in codes if c), messages


def _plain_words(message: str) -> str:
    """The sentences inside a message that embeds JSON, as the quota failure does; otherwise the message."""
    start = message.find('{"errors"')
    if start < 0:
        return message.strip()
    try:
        embedded, _ = json.JSONDecoder().raw_decode(message[start:])
        return " ".join(str(text) for texts in embedded["errors"].values() for text in texts)
    except (ValueError, KeyError, TypeError, AttributeError):
        return message.strip()


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines[:3])
