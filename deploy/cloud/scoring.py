"""Scoring requests: one POST to a scoring URI, with our own HTTP client.

Not azure-ai-ml's `invoke`: it reuses headers for all later calls of the process, so a probe of one slot would affect
later calls; it also retries some failures. Here one call is one request.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from deploy.cloud import response_schemas
from deploy.cloud.connect import Cloud
from deploy.cloud.endpoints import endpoint_path
from deploy.cloud.error_translation import retry_after_seconds, translated_errors
from deploy.cloud.operations import VERSION
from deploy.domain.arm import Json
from deploy.errors import CloudError, Transient
from deploy.no_netrc import no_netrc_auth
from deploy.redact import redact_values

_CHUNK = 65_536
_SHOWN = 500
"""Bytes of an error of the model that its message contains."""
_CONNECT = 30.0
"""Seconds to establish a connection."""
_POLL = 0.25
"""Seconds between two checks for an interrupt."""


@dataclass(frozen=True)
class Answer:
    """The response of a scoring URI. `model_status` is the container's status if it was not 200."""

    status: int
    body: bytes
    seconds: float
    request_id: str
    model_status: int | None = None
    model_reason: str = ""
    auth_mode: str = "key"
    retry_after: float | None = None


def read_key(cloud: Cloud, endpoint: Json) -> str:
    """What follows `Bearer `: a key, a token of the endpoint or an Entra token, by the endpoint's auth mode."""
    key = _read(cloud, endpoint)
    if key:
        cloud.on_secret(key)
    return key


def _read(cloud: Cloud, endpoint: Json) -> str:
    name, mode = endpoint["name"], str(endpoint["properties"].get("authMode")).lower()
    path = endpoint_path(cloud, name)
    if mode == "aadtoken":
        with translated_errors(f"sign in to {name}"):
            return str(cloud.credential.get_token(cloud.hosts.data).token)
    if mode == "amltoken":
        return str(
            cloud.arm.post(f"{path}/token", VERSION, f"fetch a token of {name}", response_schemas.Token)["accessToken"]
        )
    keys = cloud.arm.post(f"{path}/listKeys", VERSION, f"fetch the key of {name}", response_schemas.Keys)
    return keys.get("primaryKey") or ""


def score(
    cloud: Cloud, endpoint: Json, deployment: str, body: bytes, *, timeout: float, limit: int, what: str
) -> Answer:
    """POST `body` to one deployment of an endpoint, whatever its share of traffic.

    `timeout`: seconds until the answer is complete; `limit`: its bytes.
    """
    uri = endpoint["properties"].get("scoringUri")
    if not uri:
        raise Transient(
            what, "the endpoint has no scoring URI yet", "Wait until the endpoint is provisioned", code="AML370"
        )
    key = read_key(cloud, endpoint)
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",  # the limit counts the bytes as sent
        "azureml-model-deployment": deployment,
        "User-Agent": "amldeploy",
    }
    secrets = {key} if key else set()
    started = time.perf_counter()
    exchange = _Exchange(uri, headers, body, timeout, limit, cloud.ca or True)
    if problem := exchange.run(what):
        if problem.code == "AML372" and not exchange.status and _is_private(endpoint):
            raise _unreachable(uri, what)
        if exchange.content:
            problem.attached["answer.txt"] = redact_values(exchange.content, secrets)
        raise problem
    found = exchange.headers
    model = found.get("ms-azureml-model-error-statuscode", "")
    return Answer(
        status=exchange.status,
        body=redact_values(exchange.content, secrets),
        seconds=time.perf_counter() - started,
        request_id=redact_values(found.get("x-request-id", ""), secrets),
        model_status=int(model) if model.isdecimal() else None,
        model_reason=redact_values(found.get("ms-azureml-model-error-reason", ""), secrets),
        auth_mode=str(endpoint["properties"].get("authMode")).lower(),
        retry_after=retry_after_seconds(found),
    )


def score_probe(
    cloud: Cloud, endpoint: Json, deployment: str, body: bytes, probe: Mapping[str, Json], what: str
) -> Answer:
    """`score` with the limits of a probe: its `timeout` and its `max_answer_mb`."""
    limit = int(probe["max_answer_mb"]) << 20
    return score(cloud, endpoint, deployment, body, timeout=float(probe["timeout"]), limit=limit, what=what)


class _Exchange:
    """One POST without redirects, bounded in time and size. What arrived before an error stays in `content`.

    It runs in a daemon thread, because a timeout of `requests` is for one read, and an answer that arrives byte by byte
    never reaches it.
    """

    def __init__(
        self, uri: str, headers: Mapping[str, str], body: bytes, timeout: float, limit: int, verify: str | bool
    ) -> None:
        self.status: int = 0
        self.headers: Mapping[str, str] = {}
        self._uri, self._sent, self._body, self._verify = uri, headers, body, verify
        self._timeout, self._limit = timeout, limit
        self._chunks: list[bytes] = []
        self._error: Exception | None = None

    @property
    def content(self) -> bytes:
        return b"".join(tuple(self._chunks))[: self._limit]

    def run(self, what: str) -> CloudError | None:
        """The error of an exchange that failed."""
        import requests

        thread = threading.Thread(target=self._post, daemon=True)
        end = time.monotonic() + self._timeout
        thread.start()
        while thread.is_alive() and time.monotonic() < end:
            thread.join(min(_POLL, max(0.0, end - time.monotonic())))
        error = self._error
        if thread.is_alive() or isinstance(error, requests.ReadTimeout):
            cause = f"no {'complete ' if self.status else ''}answer within {self._timeout:g} s"
            return Transient(what, cause, "Raise probe.timeout or request_timeout_ms", code="AML371")
        if error:
            return Transient(what, str(error), "Check the network connection to the scoring URI", code="AML372")
        if sum(map(len, self._chunks)) > self._limit:
            cause = f"the answer is larger than {self._limit >> 20} MB"
            return CloudError(what, cause, "Raise probe.max_answer_mb, or send a smaller input", code="AML376")
        return None

    def _post(self) -> None:
        import requests
        from urllib3.exceptions import HTTPError

        end, size = time.monotonic() + self._timeout, 0
        try:
            with requests.post(
                self._uri, data=self._body, headers=self._sent, timeout=(min(_CONNECT, self._timeout), self._timeout),
                verify=self._verify, auth=no_netrc_auth, stream=True, allow_redirects=False,
            ) as answer:  # fmt: skip
                self.headers, self.status = answer.headers, answer.status_code
                read = getattr(answer.raw, "read1", answer.raw.read)  # read1 (urllib3 2) returns what has arrived
                for chunk in iter(lambda: read(_CHUNK, decode_content=False), b""):
                    self._chunks.append(chunk)
                    size += len(chunk)
                    if size > self._limit or time.monotonic() > end:
                        return
        except (requests.RequestException, HTTPError, OSError) as error:
            self._error = error


def _is_private(endpoint: Json) -> bool:
    return str(endpoint["properties"].get("publicNetworkAccess")).lower() == "disabled"


def _unreachable(uri: str, what: str) -> Transient:
    """The error for a private endpoint without an answer. What Azure answers to a caller outside its network is
    unknown, so any failed connection is explained by that.
    """
    cause = (
        f"no connection to {urlsplit(uri).hostname}: the endpoint has public_network_access: disabled, so it can be "
        "reached only from a virtual network with a private endpoint of the workspace"
    )
    cure = (
        "Run amldeploy in that network (with GitHub: on a self-hosted runner there), check that its DNS resolves this "
        "host to a private address, or set public_network_access to enabled"
    )
    error = Transient(what, cause, cure, code="AML382")
    error.max_attempts = 2
    return error


def refusal(answer: Answer, what: str) -> CloudError | None:
    """The error for a response that is not the model's; None for a model's response.

    Statuses as documented for managed online endpoints: 401 no permission or an expired token, 404 no deployment
    reached, 408 too slow, 424 the container answered other than 200, 429 too many requests, 5xx service errors.
    """
    if answer.status == 424:
        return _of_the_model(answer, what)
    if 300 <= answer.status < 400:
        cause = f"HTTP {answer.status}, the scoring URI redirects; a probe does not follow"
        return CloudError(what, cause, "Check the proxies between this machine and Azure", code="AML372")
    if answer.status not in _REFUSALS:
        return None
    code, words, cure = _REFUSALS[answer.status]
    if answer.status in (401, 403) and answer.auth_mode in _NO_ROLES:
        words, cure = _NO_ROLES[answer.auth_mode]
    kind = CloudError if answer.status in (401, 403) else Transient
    ours = kind(
        what, f"HTTP {answer.status}, {words}", cure, code=code, status=answer.status, request_id=answer.request_id
    )
    ours.after_role = answer.status in (401, 403) and answer.auth_mode not in _NO_ROLES
    if isinstance(ours, Transient):
        ours.retry_after = answer.retry_after
    return ours


def _of_the_model(answer: Answer, what: str) -> CloudError:
    words = " ".join(answer.body[:_SHOWN].decode(errors="replace").split()) or answer.model_reason
    cause = f"the model answered {answer.model_status or 'an error'}: {words}"
    kind = Transient if answer.model_status in (429, 502, 503, 504) else CloudError
    return kind(what, cause, "Read `amldeploy logs`", code="AML373", status=424, request_id=answer.request_id)


_ACCESS = "Assign a role that can score (AzureML Data Scientist on the endpoint) to this account, or check auth_mode"
_SERVICE = "Wait, and read `amldeploy logs`"
_NO_ROLES = {
    "key": (
        "the endpoint does not accept its primary key",
        "Run it again, which reads the key again; if it fails again, regenerate the primary key",
    ),
    "amltoken": ("the endpoint does not accept its own token", "Run it again, which reads a new token"),
}
"""Auth modes whose credential is read from the endpoint: the roles of the caller do not matter for scoring."""
_REFUSALS = {
    401: ("AML378", "the endpoint does not accept the credential", _ACCESS),
    403: ("AML378", "the endpoint does not accept the credential", _ACCESS),
    404: ("AML379", "no deployment was reached", "Wait until the endpoint has the deployment"),
    408: ("AML380", "the model took longer than request_timeout_ms", "Raise request_settings.request_timeout_ms"),
    429: ("AML381", "too many requests at once", "Raise max_concurrent_requests_per_instance or instance_count"),
    500: ("AML374", "the service failed", _SERVICE),
    502: ("AML374", "the service failed", _SERVICE),
    503: ("AML374", "the service is not available", _SERVICE),
    504: ("AML374", "the service took too long", _SERVICE),
}
"""Status -> code, what it means, what to do."""
