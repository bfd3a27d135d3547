"""`python -m deploy.emulator --state DIR`: an emulator in the foreground until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from deploy.emulator.process import idle, manage, pidfile, start
from deploy.emulator.world.problems import WorldUnavailable
from deploy.emulator.world.timing import PROFILES, Timing, timing_for


def main() -> int:
    """Serve until SIGTERM or SIGINT. Exit code 1 when another emulator serves this folder or the port is in use."""
    parser = argparse.ArgumentParser(prog="python -m deploy.emulator", description=__doc__)
    parser.add_argument(
        "--state", type=Path, default=Path(".amldeploy"), help="folder of the world (default: .amldeploy)"
    )
    parser.add_argument("--port", type=int, default=0, help="TLS port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="quick", help="how long operations take")
    parser.add_argument("--world", type=Path, help="world file: the initial resources (YAML)")
    parser.add_argument("--faults", type=Path, help="fault file (YAML)")
    parser.add_argument("--time-scale", type=float, help="speed of the world's clock (60 = one minute per second)")
    parser.add_argument("--throttle", action=argparse.BooleanOptionalAction, help="count requests as Azure does")
    parser.add_argument(
        "--stop-after", type=float, default=0.0, metavar="SECONDS", help="end after this time without a request"
    )
    options = parser.parse_args()
    state = options.state.resolve()
    try:
        start.begin(state / manage.WORLD, options.world, options.faults, options.time_scale)
    except (ValueError, WorldUnavailable) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return serve(state, options.port, timing_for(options.profile, options.throttle), options.stop_after)


def serve(state: Path, port: int, timing: Timing, stops_after: float = 0.0) -> int:
    """Serve a state folder in this process. `stops_after`: see `pidfile.Running`."""
    from deploy.emulator.http.server import Server

    stop_requested = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop_requested.set())
    try:
        server = Server(state, port, timing)
    except OSError as error:
        sys.stderr.write(f"cannot listen on 127.0.0.1:{port}: {error.strerror}. Choose another --port.\n")
        return 1
    served = pidfile.running_here(
        server.port, server.identity_port, str(server.certificates.ca), server.control_token, stops_after
    )
    try:
        if not pidfile.write(state, served):
            sys.stderr.write(f"cannot serve {state}: another emulator already does. Use that one.\n")
            return 1
        sys.stderr.write(f"emulator of {state} answers at https://127.0.0.1:{server.port}\n")
        idle.wait(stop_requested, state, served, lambda: server.idle_seconds)
    finally:
        server.stop()
        pidfile.remove(state, served)  # last: `stop` waits for this, and the port must be free then
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
