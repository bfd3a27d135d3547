"""A client of yaml-language-server, the program behind the YAML support of VS Code, Neovim and others, over stdio."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VARIABLE = "AMLDEPLOY_YAML_LANGUAGE_SERVER"
"""The path of the server, if it is not on PATH."""
SECONDS = 60.0
"""Longest time without a message of the server while an answer is missing."""
SETTINGS = {
    "yaml": {
        "completion": True,
        "hover": True,
        "validate": True,
        "schemaStore": {"enable": False},  # the schemas of the project, and no download
        "kubernetesCRDStore": {"enable": False},
    }
}


def command() -> str | None:
    """The path of the server, or None."""
    return os.environ.get(VARIABLE) or shutil.which("yaml-language-server")


class Server:
    """A running server. `ask` sends requests for open documents and returns their results in order."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self._number, self._version = process, 0, 0
        self._messages: queue.Queue[Any] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def start(self, root: Path) -> None:
        self._ask([("initialize", {"processId": os.getpid(), "rootUri": root.as_uri(), "capabilities": _CAPABLE})])
        self._send({"method": "initialized", "params": {}})
        self._send({"method": "workspace/didChangeConfiguration", "params": {"settings": SETTINGS}})

    def ask(self, path: Path, text: str, method: str, places: Sequence[tuple[int, int]]) -> list[Any]:
        """The results of `textDocument/<method>` at places (line, character; from 0) of a file with this text."""
        uri = path.as_uri()
        self._version += 1  # the server keeps what it parsed by URI and version
        document = {"uri": uri, "languageId": "yaml", "version": self._version, "text": text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        found = self._ask(
            [
                (
                    f"textDocument/{method}",
                    {"textDocument": {"uri": uri}, "position": {"line": line, "character": at}},
                )
                for line, at in places
            ]
        )
        self._send({"method": "textDocument/didClose", "params": {"textDocument": {"uri": uri}}})
        return found

    def _ask(self, requests: Sequence[tuple[str, Any]]) -> list[Any]:
        numbers = []
        for method, parameters in requests:
            self._number += 1
            numbers.append(self._number)
            self._send({"id": self._number, "method": method, "params": parameters})
        results: dict[int, Any] = {}
        while set(numbers) - results.keys():
            message = self._messages.get(timeout=SECONDS)
            assert message is not None, "the server has ended"
            if "method" in message and "id" in message:
                self._send({"id": message["id"], "result": _answer(message)})
            elif "id" in message:
                assert "error" not in message, message
                results[message["id"]] = message["result"]
        return [results[number] for number in numbers]

    def _send(self, message: Mapping[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while header := stream.readline():
            if header.lower().startswith(b"content-length:"):
                length = int(header.partition(b":")[2])
                while stream.readline().strip():
                    pass
                body = stream.read(length)
                if len(body) < length:
                    break
                self._messages.put(json.loads(body))
        self._messages.put(None)


_CAPABLE = {
    "workspace": {"configuration": True, "workspaceFolders": True},
    "textDocument": {
        "completion": {"completionItem": {"documentationFormat": ["markdown"]}},
        "hover": {"contentFormat": ["markdown"]},
    },
}


def _answer(message: Mapping[str, Any]) -> Any:
    """The answer to a request of the server: its settings."""
    if message["method"] != "workspace/configuration":
        return None
    return [SETTINGS.get(item.get("section")) for item in message["params"]["items"]]


@contextmanager
def run(program: str, root: Path) -> Iterator[Server]:
    """A server for the project at `root`."""
    process = subprocess.Popen(
        [program, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=root
    )
    try:
        server = Server(process)
        server.start(root)
        yield server
    finally:
        process.kill()
        process.communicate()
