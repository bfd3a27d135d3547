"""Translates errors of Azure and of its libraries to our error classes: final or transient, and how to fix them.

Azure's outer code is often unspecific (`BadRequest`), and the status of an accepted operation that failed is 200, so
all nested codes and messages are matched against `azure_errors`. An HTTP error that remains after HTTP retries becomes
`Unanswered`, so that steps do not multiply the retries.
"""

from __future__ import annotations

import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from deploy.cloud import client_refusals, github, policy_violations
from deploy.cloud.azure_errors import RetryKind, find
from deploy.cloud.transport import IMPORT_LOCK, AnswerLost, LongWait
from deploy.errors import CloudError, DeployError, NotAuthenticated, Transient, Unanswered

T = TypeVar("T")
_AGAIN = "Apply again: the connection broke, and amldeploy checks first what was done"
_UNKNOWN_CLOUD = "Unknown cloud environment"
"""azure-ai-ml's message for any failure to read the metadata of a cloud; it does not contain the reason."""
_REPORT = "Check the value in the message, and apply again. If it repeats, report it to the maintainers of that package"
_AZURE = ("azure.", "msrest", "isodate", "marshmallow")
_TRIED = re.compile(r"(?m)^\s+(\w+Credential): (.+)$")
_RETRIED_BY_HTTP = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses that the HTTP layer has already retried (`transport.RETRIES`); the step does not retry them again."""


@contextmanager
def translated_errors(what: str) -> Iterator[None]:
    """Translates all exceptions of azure libraries to our errors, with the message `cannot <what>: ...`."""
    try:
        yield
    except DeployError:
        raise
    except Exception as error:
        ours = translate(error, what)
        if ours is None:
            raise
        raise ours from error


def try_read(read: Callable[[], T]) -> tuple[T | None, str]:
    """The result and ""; or None and the reason, for checks that can be skipped."""
    try:
        return read(), ""
    except CloudError as error:
        reason = "permission denied" if error.status == 403 else error.cause.rstrip(". ")
        return None, f"could not be read: {reason}"


def translate(error: Exception, what: str) -> DeployError | None:
    """Our error for one of azure's libraries or of requests; None for any other exception, which is a bug."""
    from azure.core import exceptions as azure
    from azure.identity import CredentialUnavailableError

    if isinstance(error, AnswerLost):
        return _lost(what, _first_line(str(error)))
    if isinstance(error, LongWait):
        cure = "Wait, since Azure throttles requests"
        throttled = Transient(what, f"Azure requests a wait of {error.seconds:.0f} s", cure, code="AML352")
        throttled.retry_after = error.seconds
        return throttled
    if isinstance(error, (CredentialUnavailableError, azure.ClientAuthenticationError)):
        if github.lacks_id_token_permission(os.environ):
            return NotAuthenticated(
                what, "this job cannot request an ID token from GitHub", github.PERMIT, code="AML328"
            )
        return NotAuthenticated(
            what,
            _credentials_tried(str(error)) or _first_line(str(error)),
            "Sign in (az login), or set the variables of a service principal or a federated identity",
            code="AML900",
        )
    if isinstance(error, azure.HttpResponseError):
        return _from_response(error, what)
    if _UNKNOWN_CLOUD in str(error):
        _reset_import()
        where = os.environ.get("ARM_CLOUD_METADATA_URL", "the Resource Manager")
        cure = "Check the network, and ARM_CLOUD_METADATA_URL if it is set, then apply again"
        return Transient(
            what, f"azure-ai-ml could not read the metadata of the cloud from {where}", cure, code="AML364"
        )
    if type(error).__module__.startswith(("azure.ai.ml", "marshmallow")):
        return _refused_by_client(error, what)
    if isinstance(error, azure.AzureError):
        return Unanswered(what, _first_line(str(error)), "Check the network, then apply again", code="AML360")
    return _raised_inside(error, what)


def _refused_by_client(error: Exception, what: str) -> DeployError:
    """Our error for a refusal of azure-ai-ml, which may be its own text for a response of Azure."""
    from azure.core.exceptions import HttpResponseError

    if isinstance(error.__cause__, HttpResponseError):
        return _from_response(error.__cause__, what)
    return CloudError(what, client_refusals.explanation(str(error)), "Fix the field in the message", code="AML301")


def _raised_inside(error: Exception, what: str) -> Unanswered | None:
    """Our error for an unspecific exception that one of azure's libraries raised: it cannot use the document, or the
    response. The change may have been sent. None for an exception of our own code.
    """
    if isinstance(error, ValueError) and "json" in type(error).__module__:
        return Unanswered(what, "the response is not a JSON object", _AGAIN, code="AML362")
    frames = [(str(f.f_globals.get("__name__")), f.f_code, line) for f, line in traceback.walk_tb(error.__traceback__)]
    own = max((number for number, (module, *_) in enumerate(frames) if module.startswith("deploy.")), default=-1)
    inside = [frame for frame in frames[own + 1 :] if frame[0].startswith(_AZURE)]
    if not inside:
        return None
    module, code, line = inside[-1]
    where = f"{module.partition('._')[0]} ({code.co_filename.rpartition('/')[2]}, line {line})"
    words = _first_line(str(error))
    cause = f"{where} raised {type(error).__name__}" + (f": {words}" if words else "")
    raised = Unanswered(what, cause, _REPORT, code="AML365")
    raised.sent = True
    return raised


def _lost(what: str, why: str) -> Unanswered:
    """The error for a request that was sent, with an unknown result."""
    lost = Unanswered(what, why, _AGAIN, code="AML362")
    lost.sent = True
    return lost


def _reset_import() -> None:
    """azure-ai-ml reads the cloud's metadata also during its import; a failed import must be removed to be repeated."""
    with IMPORT_LOCK:
        if "azure.ai.ml" not in sys.modules:
            for name in [name for name in sys.modules if name.startswith("azure.ai.ml.")]:
                del sys.modules[name]


def _from_response(error: Any, what: str) -> DeployError:
    response = getattr(error, "response", None)
    headers: Mapping[str, str] = getattr(response, "headers", None) or {}
    return from_answer(what, error.status_code, _body(error), headers, words=str(error.message or ""))


def from_answer(
    what: str, status: int | None, body: Any, headers: Mapping[str, str], *, words: str = ""
) -> CloudError | NotAuthenticated:
    """Our error for an ARM response: its status, its parsed body and its headers."""
    error = body.get("error") if isinstance(body, Mapping) else None
    codes, messages = _walk(error)
    policies = policy_violations.explanation(error)
    message = policies or " ".join(dict.fromkeys(m for m in messages if m))
    message = message or _first_line(words) or f"HTTP status {status}"
    request_id = headers.get("x-ms-request-id") or headers.get("x-ms-correlation-request-id") or ""
    if status == 401:
        cure = "Sign in again; the token has expired or is for another tenant"
        return NotAuthenticated(what, message, cure, code="AML901")
    row = find(policy_violations.CODE if policies else " ".join((*codes, message)))
    if status in _RETRIED_BY_HTTP:
        code, cure = (row.code, row.cure) if row else _hiccup(status)
        return Unanswered(what, message, cure, code=code, codes=codes, status=status, request_id=request_id)
    if row is None:
        code, cure = _plain(status)
        return CloudError(what, message, cure, code=code, codes=codes, status=status, request_id=request_id)
    passes = row.kind in (RetryKind.RETRY_FEW, RetryKind.RETRY_UNTIL_DEADLINE, RetryKind.RETRY_SLOWLY)
    kind = Transient if passes else CloudError
    ours = kind(what, message, row.cure, code=row.code, codes=codes, status=status, request_id=request_id)
    ours.after_role = row.kind is RetryKind.AFTER_ROLE
    if isinstance(ours, Transient):
        waits = [seconds for seconds in (retry_after_seconds(headers), row.wait) if seconds is not None]
        ours.retry_after = max(waits, default=None)
        ours.until_deadline, ours.max_attempts = row.kind is RetryKind.RETRY_UNTIL_DEADLINE, row.max_attempts
    return ours


def _hiccup(status: int) -> tuple[str, str]:
    if status == 429:
        return "AML352", "Wait some minutes, then apply again: Azure throttles requests"
    return "AML351", "Check Azure's status page, then apply again"


def _plain(status: int | None) -> tuple[str, str]:
    """Code and cure of a refusal that is not in the table."""
    if status == 404:
        return "AML304", "Check the names in the environment file, and that the resource still exists"
    return "AML300", "Read Azure's message above"


def retry_after_seconds(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait, from the Retry-After headers of a response; None if they are missing or invalid."""
    values = {name.lower(): value.strip() for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 1000.0), ("x-ms-retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = values.get(name, "")
        if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value):
            return float(value) / unit
        if name == "retry-after" and value:
            with suppress(ValueError, TypeError, OverflowError):
                until = parsedate_to_datetime(value)
                until = until if until.tzinfo else until.replace(tzinfo=UTC)
                return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())
    return None


def _body(error: Any) -> Any:
    """The JSON of a failed response, or of an operation that failed after it was accepted."""
    response = getattr(error, "response", None)
    try:
        return json.loads(response.text()) if response is not None else None
    except (ValueError, AttributeError, TypeError):
        return None


def _walk(error: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All codes and messages, outermost first. Azure nests both in `details`."""
    if not isinstance(error, Mapping):
        return (), ()
    codes: tuple[str, ...] = (str(error.get("code") or ""),)
    messages: tuple[str, ...] = (_plain_text(str(error.get("message") or "")),)
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        more_codes, more_messages = _walk(detail)
        codes, messages = codes + more_codes, messages + more_messages
    return tuple(c for c in codes if c), messages


def _plain_text(message: str) -> str:
    """The texts in a message with embedded JSON, as in quota errors; otherwise the message."""
    start = message.find('{"errors"')
    if start < 0:
        return message.strip()
    try:
        embedded, _ = json.JSONDecoder().raw_decode(message[start:])
        return " ".join(str(text) for texts in embedded["errors"].values() for text in texts)
    except (ValueError, KeyError, TypeError, AttributeError):
        return message.strip()


def _credentials_tried(text: str) -> str:
    """Each credential that azure-identity tried, with its reason; "" for an error without the list."""
    tried = _TRIED.findall(text.partition("Attempted credentials:")[2])
    parts = []
    for name, reason in tried:
        said = reason.removeprefix(f"{name}: ").partition("unavailable. ")[2] or reason
        parts.append(f"{name} ({said.partition('. ')[0].rstrip('.')})")
    return f"no credential works; tried {', '.join(parts)}" if parts else ""


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines[:3])
