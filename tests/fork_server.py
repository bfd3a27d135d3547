"""Runs `amldeploy` in forks of one process that has imported everything: a command starts in milliseconds.

A command still has a process of its own, with its own environment, folder, pipes and exit code. Only the start of the
interpreter and the imports are shared. `python -m tests.fork_server SOCKET` serves until its stdin ends.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import io
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.project import CANARY, ROOT

IMPORTED = (
    "azure.ai.ml", "azure.identity", "azure.mgmt.authorization", "deploy.cli", "deploy.commands", "deploy.error_codes",
    "deploy.reporter", "deploy.execution.progress", "deploy.emulator", "deploy.emulator.http.server",
    "deploy.emulator.seed.open_world", "deploy.emulator.process.start", "deploy.emulator.control.clock_api",
    "cryptography.hazmat.primitives.asymmetric.rsa", "rich.console", "rich.live", "rich.table", "jsonschema",
    "trustme", "numpy", "PIL.ImageDraw", "azure.core.rest._requests_basic", "azure.identity._credentials.app_service",
    "azure.identity._internal.msal_managed_identity_client", "azure.mgmt.authorization.v2022_04_01",
    "cryptography.hazmat.backends.openssl.backend", "deploy.emulator.runtime.standins.medimageparse",
    "encodings.unicode_escape", "encodings.utf_8_sig", "netrc", "numpy.typing", "PIL.ImageFilter", "typer._adapters",
    "uvicorn.lifespan.off", "uvicorn.protocols.http.h11_impl",
)  # fmt: skip
CLIENT = """#!{python} -ISE
import os, signal, socket, sys
if {{"PYTHONUTF8", "PYTHONIOENCODING"}} & os.environ.keys() and os.environ.get("PYTHONUTF8") != "1":
    os.execv({real!r}, [{real!r}, *sys.argv[1:]])  # how an interpreter starts is what this command is about
line = socket.socket(socket.AF_UNIX)
line.connect({address!r})
words = [{script!r}, os.getcwd(), str(len(sys.argv)), *sys.argv, *map("=".join, os.environ.items())]
sent = "\\0".join(words).encode(errors="surrogateescape")
socket.send_fds(line, [len(sent).to_bytes(4, "big")], [0, 1, 2])
line.sendall(sent)
at_work = int.from_bytes(line.recv(4), "big")
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, _: os.kill(at_work, number))
code = line.recv(1)
sys.exit(code[0] if code else 137)
"""
"""The command `amldeploy`, which imports next to nothing. It passes SIGINT and SIGTERM on; its fork ends with it."""


@dataclass(frozen=True)
class ForkServer:
    """`commands` is a folder for PATH with a quick `amldeploy` in it."""

    address: Path
    commands: Path

    def write_command(self, path: Path, script: str = "") -> None:
        """A quick `amldeploy` at `path`, which runs the Python file `script` in place of the installed one."""
        real = str(Path(sys.executable).with_name("amldeploy"))
        text = CLIENT.format(python=sys.executable, real=real, address=str(self.address), script=script)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def run(self, folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """`amldeploy WORDS` in a folder, with these environment variables in addition to this process's own."""
        return subprocess.run(
            [self.commands / "amldeploy", *words],
            cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[ForkServer]:
    """A server as long as the block lasts. `folder` is empty and its path short."""
    server = ForkServer(folder / "socket", folder / "bin")
    server.commands.mkdir()
    server.write_command(server.commands / "amldeploy")
    command = [sys.executable, "-m", "tests.fork_server", str(server.address)]
    # azure-ai-ml reads them when it is imported, and they change from test to test.
    clean = {name: text for name, text in os.environ.items() if not name.startswith(("AZURE", "ARM_", "REQUESTS_"))}
    environment = {**clean, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline(), "the fork server did not start"
        yield server
        process.stdin.close()


def main() -> None:
    address = sys.argv[1]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(16)
        with contextlib.redirect_stderr(io.StringIO()):  # azure-ai-ml logs to the stream that it finds, as in a command
            for name in IMPORTED:
                importlib.import_module(name)
        _prepare()
        gc.freeze()
        assert threading.active_count() == 1, "a process with threads cannot be forked safely"
        signal.signal(signal.SIGCHLD, _collect)
        print("ready", flush=True)  # noqa: T201
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            line, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _run(line)
            line.close()


def _prepare() -> None:
    """What a process does at first use, and what does not depend on the command."""
    from PIL import Image
    from pydantic import BaseModel

    from deploy.cli import command
    from deploy.domain.digests import slow_digest
    from deploy.domain.report import Report
    from deploy.emulator.seed.default_world import WORKSPACE_ID
    from deploy.reporter import report_html

    Image.init()  # loads the image formats
    command()
    report_html(Report("", "", ()))  # compiles its template
    slow_digest(CANARY, WORKSPACE_ID)  # of the secret of each project
    found = [BaseModel]
    for model in found:
        found += model.__subclasses__()
        if model.__module__.startswith("deploy."):
            model.model_rebuild()  # many are built when they are used first


def _collect(*_: object) -> None:
    """Every child that has ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _run(line: socket.socket) -> None:
    """The command of one connection, in a process of its own."""
    code = 1
    try:
        script, cwd, arguments, environment = _receive(line)
        fcntl.fcntl(line, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(line, fcntl.F_SETFL, os.O_ASYNC)  # the end of the client ends this process by SIGIO
        line.send(os.getpid().to_bytes(4, "big"))
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        sys.argv[:] = arguments
        for each in (signal.SIGINT, signal.SIGCHLD):
            signal.signal(each, signal.default_int_handler if each == signal.SIGINT else signal.SIG_DFL)
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            raw = io.FileIO(number, "w" if number else "r", closefd=False)
            stream = io.BufferedWriter(raw) if number else io.BufferedReader(raw)
            errors = "backslashreplace" if number == 2 else "surrogateescape"
            buffered = number == 2 or raw.isatty()
            setattr(sys, name, io.TextIOWrapper(stream, encoding="utf-8", errors=errors, line_buffering=buffered))
        code = _call(script)
    finally:
        line.send(bytes([code]))
        os._exit(code)


def _call(script: str) -> int:
    """What the installed script, or another one, and the interpreter's end do."""
    from deploy.cli import main as command

    try:
        runpy.run_path(script, run_name="__main__") if script else command()
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter prints it
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = 120
    return code


def _receive(line: socket.socket) -> tuple[str, str, list[str], dict[str, str]]:
    """Script, folder, arguments and environment; the descriptors 0, 1 and 2 are the client's from then on."""
    head, found, *_ = socket.recv_fds(line, 4, 3)
    for number, each in enumerate(found):
        os.dup2(each, number)
        os.close(each)
    size, parts = int.from_bytes(head, "big"), bytearray()
    while len(parts) < size:
        parts += line.recv(size - len(parts))
    script, cwd, count, *words = parts.decode(errors="surrogateescape").split("\0")
    variables = words[int(count) :]
    return script, cwd, words[: int(count)], dict(each.split("=", 1) for each in variables)


if __name__ == "__main__":
    main()
