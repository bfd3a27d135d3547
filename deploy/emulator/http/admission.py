"""Admission: what a request has to be before anything else is done with it.

The order is Host and Origin, HTTPS, the size of the body, the token of the control API. A refused request leaves no
trace: it is not in the request log, and no fault counts it. So a web page in a browser cannot change the world: its
requests carry its origin, and after DNS rebinding the name of another host.
"""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from deploy.emulator.control import token
from deploy.emulator.storage import errors
from deploy.emulator.wire.responses import Answer, Refusal, arm_error

HOSTS = ("127.0.0.1", "localhost", "[::1]")
_OWN_SITE = ("same-origin", "none")
"""Values of Sec-Fetch-Site, which browsers send, also with requests that have no Origin, such as that of an image."""
MIB = 1 << 20
_LARGE = {"arm": 4 * MIB, "registry": 4 * MIB, "unknown": 4 * MIB, "blob": 256 * MIB, "scoring": 256 * MIB}
_DEFAULT = MIB
BODY_SECONDS = 60.0
"""A body that takes longer is refused."""


async def body_of(request: Request, plane: str, control_token: str) -> bytes:
    """The body of a request that is admitted.

    Raises:
        Refusal: 421 for another host, 403 for a web page, without HTTPS or without the control token, 413 for a body
            that is too large, 408 for one that is too slow.
        ClientDisconnect: the client is gone.
    """
    _check_sender(request)
    if request.scope["scheme"] == "http" and plane != "identity":
        raise arm_error(403, "HttpsRequired", "HTTPS is required.")
    body = await _read(request, plane)
    if plane == "control":
        token.require(control_token, request.headers.get("authorization", ""))
    return body


def limit(plane: str) -> int:
    """The maximum size of a body, in bytes.

    4 MB of the Resource Manager are documented. A blob can be larger in Azure (5000 MiB; a block 4000 MiB), but no
    client of Azure ML sends it in one request. The limit of scoring requests is not published.
    """
    return _LARGE.get(plane, _DEFAULT)


def _check_sender(request: Request) -> None:
    """Refuse the requests that a web page in a browser can send."""
    scheme, port = request.scope["scheme"], (request.scope.get("server") or ("", None))[1]
    host = request.headers.get("host", "").lower()
    if host not in HOSTS and host not in {f"{name}:{port}" for name in HOSTS}:
        raise arm_error(
            421, "MisdirectedRequest",
            f"The emulator answers only at its own address. Send the header `Host: {HOSTS[0]}:{port}`.",
        )  # fmt: skip
    if any(origin.lower() != f"{scheme}://{host}" for origin in request.headers.getlist("origin")):
        raise _web_page("Origin")
    if any(site.lower() not in _OWN_SITE for site in request.headers.getlist("sec-fetch-site")):
        raise _web_page("Sec-Fetch-Site")


def _web_page(header: str) -> Refusal:
    text = f"The emulator refuses requests of web pages. Send the request with a program, without the header {header}."
    return arm_error(403, "ForeignOrigin", text)


async def _read(request: Request, plane: str) -> bytes:
    most = limit(plane)
    if int(request.headers.get("content-length", 0)) > most:
        raise _too_large(plane, most)
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                parts.append(part)
                size += len(part)
                if size > most:
                    raise _too_large(plane, most)
    except TimeoutError:
        raise arm_error(408, "RequestTimeout", f"The body took longer than {BODY_SECONDS:g} s.") from None
    return b"".join(parts)


def _too_large(plane: str, most: int) -> Refusal:
    """413 in the form of the plane. Code and message are Azure's for the Resource Manager and for blobs."""
    message = f"The request content size exceeds the maximum size of {most // MIB} MB."
    match plane:
        case "blob":
            return errors.refusal("RequestBodyTooLarge")
        case "entra":
            return Refusal(Answer(413, {"error": "invalid_request", "error_description": message}))
        case "identity":
            return Refusal(Answer(413, {"statusCode": 413, "message": message}))
    return arm_error(413, "RequestContentTooLarge", message)
