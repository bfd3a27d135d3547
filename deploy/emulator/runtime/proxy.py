"""Forward one request to a user's scoring server on 127.0.0.1."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import h11

LIMIT = 1 << 30
"""The maximum size of an answer, in bytes."""
_HOP_HEADERS = frozenset((
    "authorization", "connection", "content-length", "date", "expect", "host", "keep-alive", "proxy-connection",
    "server", "te", "trailer", "transfer-encoding", "upgrade", "azureml-model-deployment",
))  # fmt: skip
"""Headers of one connection or of the emulator: not forwarded in either direction."""


@dataclass(frozen=True)
class Reply:
    """The answer of the server."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


async def exchange(port: int, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
    """Send one request on a new connection and read the answer. Cancelling it closes the connection.

    Raises:
        OSError: the connection is refused or lost.
        h11.RemoteProtocolError: the answer is not HTTP.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await _exchange(reader, writer, _request(method, target, headers, body), body)
    finally:
        writer.close()


def _request(method: str, target: str, headers: Mapping[str, str], body: bytes) -> h11.Request:
    passed = [
        (name.encode("ascii"), value.encode("latin-1"))
        for name, value in headers.items()
        if name.lower() not in _HOP_HEADERS
    ]
    own = [(b"Host", b"127.0.0.1"), (b"Connection", b"close"), (b"Content-Length", str(len(body)).encode())]
    return h11.Request(method=method, target=target, headers=[*own, *passed])


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: h11.Request, body: bytes
) -> Reply:
    connection = h11.Connection(h11.CLIENT)
    sent: tuple[h11.Event, ...] = (request, h11.Data(data=body), h11.EndOfMessage())
    for part in sent:
        writer.write(connection.send(part) or b"")
    await writer.drain()
    response: h11.Response | None = None
    parts, size = [], 0
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(1 << 16))
        elif isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            parts.append(bytes(event.data))
            size += len(event.data)
            if size > LIMIT:
                raise OSError(f"the answer is longer than {LIMIT} bytes")
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            break
    if response is None:
        raise OSError("the server closed the connection without an answer")
    received = {name.decode("ascii"): value.decode("latin-1") for name, value in response.headers}
    forwarded = {name: value for name, value in received.items() if name.lower() not in _HOP_HEADERS}
    return Reply(response.status_code, response.reason.decode("latin-1"), forwarded, b"".join(parts))
