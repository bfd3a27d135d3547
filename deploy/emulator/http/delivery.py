"""How an answer leaves: whole, cut short, drop by drop, or not at all. The last thing that can go wrong by order."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

PIECES = 20
SLOW = 1.0
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, no time: closing sends a reset instead of a farewell."""


async def send(kind: str, seconds: float | None, response: Response, channel: tuple[Scope, Receive, Send]) -> None:
    """Hand an answer over in the way of a fault's kind; any other kind hands it over whole."""
    scope, receive, out = channel
    match kind:
        case "lose":
            await _close(receive, out, reset=False)
        case "reset":
            await _close(receive, out, reset=True)
        case "drip":
            await _drip(response, SLOW if seconds is None else seconds, out)
        case "truncate":
            await _truncated(response)(scope, receive, out)
        case _:
            await response(scope, receive, out)


def _truncated(response: Response) -> Response:
    headers = {k: v for k, v in response.headers.items() if k != "content-length"}
    return Response(bytes(response.body)[: len(response.body) // 2], response.status_code, headers)


async def _drip(response: Response, seconds: float, out: Send) -> None:
    """The headers at once, then the body in even drops; the last one falls after `seconds`."""
    body = bytes(response.body)
    size = max(1, -(-len(body) // PIECES))
    chunks = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
    await out({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    for number, chunk in enumerate(chunks, 1):
        await asyncio.sleep(seconds / len(chunks))
        await out({"type": "http.response.body", "body": chunk, "more_body": number < len(chunks)})


async def _close(receive: Receive, out: Send, *, reset: bool) -> None:
    """End the connection without an answer, and wait until it has ended: otherwise the server would answer 500."""
    transport: Any = getattr(getattr(out, "__self__", None), "transport", None)
    if transport is None:  # no server around us: there is no connection to end
        return
    if reset:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    else:
        transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass
