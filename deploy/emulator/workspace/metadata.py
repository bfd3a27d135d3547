"""The cloud metadata: the addresses of the Resource Manager, sign-in and storage."""

from __future__ import annotations

from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer

NAME = "AmlEmulator"


def endpoints(call: Call) -> Answer:
    """GET /metadata/endpoints, in the form that the SDKs read at start."""
    cloud = {
        "name": NAME,
        "portal": "https://portal.azure.com/",  # the SDK takes the suffix of ml.azure.com from this name
        "resourceManager": call.base,
        "authentication": {
            "loginEndpoint": call.base, "audiences": [call.base, "https://management.azure.com/"], "tenant": "common",
            "identityProvider": "AAD",
        },
        "suffixes": {"storage": "core.windows.net"},
    }  # fmt: skip
    return Answer(200, [cloud])
