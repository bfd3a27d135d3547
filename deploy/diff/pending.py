"""Which documents of an endpoint are not yet as they are in Azure: what a plan creates or changes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deploy.diff import DEPLOYMENT, changes
from deploy.domain.arm import RELEASE_TAG
from deploy.domain.spec import EndpointSpec

Json = Any


def pending_deployments(spec: EndpointSpec, there: Mapping[str, Mapping[str, Json]]) -> Iterator[Mapping[str, Json]]:
    """The deployment documents without a deployment that has their release and no field that differs. `there`: the
    bodies of the endpoint's deployments.
    """
    for document in spec.deployments:
        release = {RELEASE_TAG: spec.releases[str(document["name"])]}
        tagged = {**document, "tags": {**(document.get("tags") or {}), **release}}
        if not any(not changes(tagged, held, DEPLOYMENT) for held in there.values()):
            yield document
