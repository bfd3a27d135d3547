"""Send an answer, or apply a fault of the connection: `lose`, `reset`, `drip`, `truncate`."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

CHUNKS = 20
DEFAULT_SECONDS = 1.0
UNREAD_SECONDS = 5.0
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with timeout 0: closing sends RST instead of FIN."""


async def send(kind: str, seconds: float | None, response: Response, channel: tuple[Scope, Receive, Send]) -> None:
    """Send an answer with the fault's kind; any other kind sends it whole."""
    scope, receive, out = channel
    match kind:
        case "lose":
            await _close(receive, out, reset=False)
        case "reset":
            await _close(receive, out, reset=True)
        case "drip":
            await _drip(response, DEFAULT_SECONDS if seconds is None else seconds, out)
        case "truncate":
            await _truncated(response)(scope, receive, out)
        case _:
            await response(scope, receive, out)


async def refuse(response: Response, channel: tuple[Scope, Receive, Send]) -> None:
    """Send an answer before the body of its request was read, and close the connection.

    What still arrives is read for a moment and ignored: a client that first sends its whole body would otherwise get a
    reset connection in place of the answer.
    """
    _, receive, out = channel
    response.headers["Connection"] = "close"
    await out({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await out({"type": "http.response.body", "body": bytes(response.body), "more_body": True})
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(UNREAD_SECONDS):
            while (await receive()).get("more_body"):
                pass
    await out({"type": "http.response.body", "body": b""})


def _truncated(response: Response) -> Response:
    headers = {k: v for k, v in response.headers.items() if k != "content-length"}
    return Response(bytes(response.body)[: len(response.body) // 2], response.status_code, headers)


async def _drip(response: Response, seconds: float, out: Send) -> None:
    """Send the headers at once, then the body in equal chunks, the last one after `seconds`."""
    body = bytes(response.body)
    size = max(1, -(-len(body) // CHUNKS))
    chunks = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
    await out({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    for number, chunk in enumerate(chunks, 1):
        await asyncio.sleep(seconds / len(chunks))
        await out({"type": "http.response.body", "body": chunk, "more_body": number < len(chunks)})


async def _close(receive: Receive, out: Send, *, reset: bool) -> None:
    """Close the connection without an answer, and wait until it is closed: otherwise uvicorn answers 500."""
    transport: Any = getattr(getattr(out, "__self__", None), "transport", None)
    if transport is None:  # no server (in tests): there is no connection
        return
    if reset:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    else:
        transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass
