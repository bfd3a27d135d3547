"""The OpenAPI document of a stand-in. A scoring server with its own code writes its own document."""

from __future__ import annotations

from deploy.emulator.wire.responses import Json
from deploy.emulator.world.store import Resource


def document(base: str, endpoint: Resource) -> Json:
    """The document of one endpoint; `base` is the emulator's URL."""
    value = {"content": {"application/json": {"schema": {"type": "object"}}}}
    operation = {
        "operationId": "RunMLService",
        "security": [{"Bearer": []}],
        "requestBody": value,
        "responses": {"200": {"description": "The answer of the model.", **value}},
    }
    return {
        "openapi": "3.0.3",
        "info": {
            "title": endpoint.body["name"], "version": "1.0", "description": "Stand-in of the amldeploy emulator.",
        },
        "servers": [{"url": f"{base}/inference/{endpoint.location}/{endpoint.body['name']}"}],
        "paths": {"/score": {"post": operation}},
        "components": {"securitySchemes": {"Bearer": {"type": "http", "scheme": "bearer"}}},
    }  # fmt: skip
