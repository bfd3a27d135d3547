"""The fixture `azureml_emulator`: an emulator of Azure ML for each test. `pytest_plugins = ["deploy.pytest_plugin"]`.

    def test_an_endpoint(azureml_emulator):
        client = azureml_emulator.client()
        client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name="mine")).result()

While the test runs, the environment variables of this process point every Azure SDK at the emulator, so code that makes
its own MLClient needs no change. Each test has its own world, server and port.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy import emulator
from deploy.emulator import Running


@dataclass(frozen=True)
class AzureMLEmulator:
    """The emulator of one test. `state`: the folder of its world, for the functions of `deploy.emulator`, such as
    `emulator.clock(state, advance=3600)`; `running`: its addresses and the token of its control API.
    """

    state: Path
    running: Running
    subscription_id: str = "00000000-0000-0000-0000-000000000001"
    resource_group: str = "rg-local"
    workspace: str = "mlw-local"

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that point a program at the emulator; this process has them already."""
        return self.running.variables()

    def credential(self) -> Any:
        """A new DefaultAzureCredential, as the program under test makes it."""
        from azure.identity import DefaultAzureCredential

        return DefaultAzureCredential()

    def client(self, **options: Any) -> Any:
        """A new azure.ai.ml.MLClient of the workspace, without telemetry. `options`: other arguments of MLClient."""
        from azure.ai.ml import MLClient

        where = (self.subscription_id, self.resource_group, self.workspace)
        return MLClient(self.credential(), *where, **{"enable_telemetry": False, **options})

    def requests(self) -> list[dict[str, Any]]:
        """The requests that the emulator has answered, oldest first: method, path, operation, status, mutating, ..."""
        return emulator.requests(self.state)


@pytest.fixture
def azureml_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureMLEmulator]:
    """An emulator of Azure ML with a new world, and its variables in this process, until the test ends.

    Needs `amldeploy[local]`; raises deploy.emulator.MissingExtra without it. To change the start, such as the world
    file, call `deploy.emulator.begin` with `state`.
    """
    state = tmp_path_factory.mktemp("azureml")
    with emulator.embed(state) as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.variables().items():
            patch.setenv(name, value)
        yield AzureMLEmulator(state, running)
