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
_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER on, no time: closing sends a reset instead of a farewell."""


async def send(kind: str, seconds: float | None, response: Response, door: tuple[Scope, Receive, Send]) -> None:
    """Hand an answer over in the way of a fault's kind; any other kind hands it over whole."""
    scope, receive, out = door
    match kind:
        case "lose":
            await _hang_up(receive, out, at_once=False)
        case "reset":
            await _hang_up(receive, out, at_once=True)
        case "drip":
            await _drip(response, SLOW if seconds is None else seconds, out)
        case "truncate":
            await _half(response)(scope, receive, out)
        case _:
            await response(scope, receive, out)


def _half(response: Response) -> Response:
    headers = {k: v for k, v in response.headers.items() if k != "content-length"}
    return Response(bytes(response.body)[: len(response.body) // 2], response.status_code, headers)


async def _drip(response: Response, seconds: float, out: Send) -> None:
    """The headers at once, then the body in even drops; the last one falls after `seconds`."""
    body = bytes(response.body)
    size = max(1, -(-len(body) // PIECES))
    drops = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
    await out({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    for number, drop in enumerate(drops, 1):
        await asyncio.sleep(seconds / len(drops))
        await out({"type": "http.response.body", "body": drop, "more_body": number < len(drops)})


async def _hang_up(receive: Receive, out: Send, *, at_once: bool) -> None:
    """End the connection without an answer, and wait until it has ended: otherwise the server would answer 500."""
    transport: Any = getattr(getattr(out, "__self__", None), "transport", None)
    if transport is None:  # no server around us: there is no connection to end
        return
    if at_once:
        held = transport.get_extra_info("socket")
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        transport.abort()
    else:
        transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass
