"""Measure plan and apply of a hundred endpoints, against the emulator as a separate process.

Prints wall time, requests and the processor time of amldeploy; the minimum time that the write limit of Azure Resource
Manager allows (200 at once, then 10 per second), which applies with --throttle; and the ratio to the same writes with
azure-ai-ml alone, one after the other. Never fails.

With --waiting, operations take as long as in Azure (the realistic profile), on a clock that is SCALE times as fast:
apply of 1, 24 and 100 endpoints, compared with the limit (the longest chain of operations, and Azure's write limit) and
with azure-ai-ml alone, one endpoint after the other and in 8 threads. All times are of the emulator's clock, so our own
processor time counts SCALE times. Also the most threads, the peak memory and the share of Azure's read limit.

.venv/bin/python benchmarks/many.py [--endpoints 100] [--no-throttle] [--alone 10]
.venv/bin/python benchmarks/many.py --waiting [--scale 5] [--counts 1,24,100] [--alone 2]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from deploy import emulator  # noqa: E402 import from this checkout
from deploy.emulator.world.timing import REALISTIC  # noqa: E402

ENDPOINT = 'name: "{{ endpoint }}-{{ unique(5) }}"\nauth_mode: key\n'
DEPLOYMENT = (
    'name: blue\nendpoint_name: "{{ endpoint }}-{{ unique(5) }}"\n'
    "model: azureml://registries/azureml/models/MedImageParse/versions/17\n"
    "instance_type: Standard_NC24ads_A100_v4\ninstance_count: 1\n"
)
WORLD = (
    "regions: {eastus: {endpoints: 100000, deployments: 100000, total_cores: 1000000,"
    " families: {standardNCADSA100v4Family: 1000000}}}\n"
)
SUBSCRIPTION, GROUP, WORKSPACE = "00000000-0000-0000-0000-000000000001", "rg-local", "mlw-local"
ALONE = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from azure.ai.ml import MLClient, load_online_deployment, load_online_endpoint
from azure.identity import DefaultAzureCredential
import io, yaml
started = time.perf_counter()
ml = MLClient(DefaultAzureCredential(), *sys.argv[1:4])
def create(n):
    name = f"alone{n}"
    endpoint = load_online_endpoint(io.StringIO(yaml.safe_dump({"name": name, "auth_mode": "key"})))
    ml.online_endpoints.begin_create_or_update(endpoint).result()
    body = {"name": "blue", "endpoint_name": name, "instance_type": "Standard_NC24ads_A100_v4", "instance_count": 1,
        "model": "azureml://registries/azureml/models/MedImageParse/versions/17"}
    ml.online_deployments.begin_create_or_update(load_online_deployment(io.StringIO(yaml.safe_dump(body)))).result()
    endpoint.traffic = {"blue": 100}
    ml.online_endpoints.begin_create_or_update(endpoint).result()
with ThreadPoolExecutor(int(sys.argv[5])) as pool:
    list(pool.map(create, range(int(sys.argv[4]))))
print(time.perf_counter() - started)
"""


def project(folder: Path, count: int) -> None:
    """Write an environment of `count` endpoints, each with an endpoint file and a deployment file."""
    (folder / "templates" / "plain").mkdir(parents=True)
    (folder / "environments").mkdir()
    (folder / "templates" / "plain" / "endpoint.yml.j2").write_text(ENDPOINT)
    (folder / "templates" / "plain" / "deployment.yml.j2").write_text(DEPLOYMENT)
    body = {"cloud": "local", "subscription_id": SUBSCRIPTION, "resource_group": GROUP, "workspace": WORKSPACE}
    endpoints = {f"many{n}": {"template": "plain"} for n in range(count)}
    (folder / "environments" / "many.yml").write_text(yaml.safe_dump({**body, "endpoints": endpoints}))
    (folder / "world.yml").write_text(WORLD)


@contextlib.contextmanager
def measured(state: Path, label: str, most: float | None = None) -> Iterator[None]:
    """Print what the block used: seconds, requests, processor seconds of child processes. First advances the clock of
    the emulator by a minute, so that the write limit is not used up.
    """
    emulator.clock(state, advance=60)
    before, cpu = len(emulator.requests(state)), _cpu()
    begun = time.perf_counter()
    yield
    seconds, used = time.perf_counter() - begun, _cpu() - cpu
    rows = [row for row in emulator.requests(state)[before:] if not row["path"].startswith("/emulator/")]
    refused = sum(row["status"] == 429 for row in rows)
    verdict = "" if most is None else f"  {'within' if seconds <= most else 'MISSES'} {most:g} s"
    if writes := [row["time"] for row in rows if _is_write(row)]:
        least, took = max(0, len(writes) - 200) / 10, writes[-1] - writes[0]
        verdict += f"  {len(writes)} writes within {took:.1f} s, for which Azure allows {least:.1f} s at best"
    words = f"{seconds:7.2f} s  {len(rows):5} requests  {refused:3} refused by 429  {used:6.2f} s of processor"
    print(f"{label:<34} {words}{verdict}", flush=True)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def amldeploy(folder: Path, *words: str) -> None:
    """Run one command in a new process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "AMLDEPLOY_EMULATOR": "embedded"}
    subprocess.run(
        [sys.executable, "-m", "deploy", *words], cwd=folder, env=environment, check=True, capture_output=True
    )


def alone(folder: Path, running: Any, count: int, threads: int = 1) -> float:
    """Return the seconds that azure-ai-ml alone needs for the same writes, without its import."""
    environment = {**os.environ, **running.variables()}
    ran = subprocess.run(
        [sys.executable, "-c", ALONE, SUBSCRIPTION, GROUP, WORKSPACE, str(count), str(threads)],
        cwd=folder, env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return float(ran.stdout.split()[-1].lstrip("."))


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    asked.add_argument("--endpoints", type=int, default=100)
    asked.add_argument("--alone", type=int, default=10, help="endpoints to create with azure-ai-ml alone; 0 for none")
    asked.add_argument(
        "--throttle", action=argparse.BooleanOptionalAction, default=True, help="count requests as Azure does"
    )
    asked.add_argument("--waiting", action="store_true", help="operations take as long as in Azure")
    asked.add_argument("--scale", type=float, default=5.0, help="speed of the emulator's clock with --waiting")
    asked.add_argument("--counts", default="1,24,100", help="numbers of endpoints with --waiting")
    options = asked.parse_args()
    if options.waiting:
        compare_waiting(options)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project(folder, options.endpoints)
        state = folder / ".amldeploy"
        running = emulator.launch(state, world=folder / "world.yml", throttle=options.throttle)
        try:
            measure(folder, state, running, options)
        finally:
            emulator.stop(state)


CHAIN = REALISTIC.endpoint_create + REALISTIC.deployment_create + REALISTIC.endpoint_update
"""Seconds of the operations of one endpoint: its creation, its deployment, the traffic."""


def compare_waiting(options: argparse.Namespace) -> None:
    """Print one line for each number of endpoints, and those of azure-ai-ml alone."""
    single = 0.0
    for count in map(int, options.counts.split(",")):
        with world(count, options.scale) as (folder, state, running):
            seconds, threads, memory = watched(folder, "apply", "-e", "many")
            rows = [row for row in emulator.requests(state) if not row["path"].startswith("/emulator/")]
            writes, reads = (sum(keep(row) for row in rows) for keep in (_is_write, _is_read))
            took = seconds * options.scale
            single = single or took
            limit = CHAIN + max(0, writes - 200) / 10
            share = reads / (250 + 25 * took)
            print(
                f"{count:4} endpoints {took:8.1f} s  {took / single:5.2f} x one  {took / limit:5.2f} x the limit of"
                f" {limit:.0f} s  {len(rows):5} requests  {share:4.0%} of Azure's reads  {threads:3} threads"
                f"  {memory:4.0f} MB",
                flush=True,
            )
    for threads in (1, 8) if options.alone else ():
        count = options.alone * threads
        with world(count, options.scale) as (folder, _, running), contextlib.redirect_stderr(io.StringIO()):
            took = alone(folder, running, count, threads) * options.scale
        print(
            f"{count:4} endpoints {took:8.1f} s  azure-ai-ml alone, {threads} at a time:"
            f" {took / count:.0f} s an endpoint, 100 in {took / options.alone * 100 / threads:.0f} s at this rate",
            flush=True,
        )


def _is_write(row: Any) -> bool:
    """Whether the write limit of Azure Resource Manager must allow it. The leases of locks are requests to storage."""
    return bool(row["mutating"] and row["plane"] == "arm")


def _is_read(row: Any) -> bool:
    return row["method"] == "GET"


@contextlib.contextmanager
def world(count: int, scale: float) -> Iterator[tuple[Path, Path, Any]]:
    """A project of `count` endpoints, and an emulator whose operations take as long as in Azure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project(folder, count)
        state = folder / ".amldeploy"
        running = emulator.launch(state, world=folder / "world.yml", profile="realistic", time_scale=scale)
        try:
            yield folder, state, running
        finally:
            emulator.stop(state)


def watched(folder: Path, *words: str) -> tuple[float, int, float]:
    """Run one command in a new process: its seconds, the most threads, its peak memory in MB."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "AMLDEPLOY_EMULATOR": "embedded"}
    begun, most, memory = time.perf_counter(), 0, 0.0
    with subprocess.Popen(
        [sys.executable, "-m", "deploy", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while process.poll() is None:
            with contextlib.suppress(OSError, IndexError):
                status = Path(f"/proc/{process.pid}/status").read_text()
                most = max(most, int(status.split("Threads:")[1].split()[0]))
                memory = max(memory, int(status.split("VmHWM:")[1].split()[0]) / 1024)
            time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"{words} ended with {process.returncode}")
    return time.perf_counter() - begun, most, memory


def measure(folder: Path, state: Path, running: Any, options: argparse.Namespace) -> None:
    count = options.endpoints
    with measured(state, f"plan of {count} new endpoints", 3):
        amldeploy(folder, "plan", "-e", "many")
    begun = time.perf_counter()
    with measured(state, f"apply of {count} new endpoints"):
        amldeploy(folder, "apply", "-e", "many")
    ours = (time.perf_counter() - begun) / count
    with measured(state, f"plan of {count} existing endpoints", 3):
        amldeploy(folder, "plan", "-e", "many")
    if options.alone:
        theirs = 0.0
        with (
            measured(state, f"azure-ai-ml alone, {options.alone} endpoints"),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            theirs = alone(folder, running, options.alone) / options.alone
        print(json.dumps({"seconds an endpoint": round(ours, 3), "alone": round(theirs, 3)}))
        print(f"an endpoint takes {ours / theirs:.2f} of the time of azure-ai-ml alone")


if __name__ == "__main__":
    main()
