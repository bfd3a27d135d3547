"""The check of the network: does the machine that probes reach a private endpoint. Changes nothing.

`check` needs to know whether the plan probes, so the planner calls it last.
"""

from __future__ import annotations

from collections.abc import Sequence

from deploy.cloud import endpoints, network
from deploy.cloud.connect import Cloud
from deploy.domain.arm import Facts, address
from deploy.domain.plan import Step, Verb
from deploy.domain.report import Evidence
from deploy.domain.spec import EndpointSpec
from deploy.preflight.private_network import check as judge

NAME = "network"
VOLATILE_FACTS = (NAME,)


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`network/<key>`: what `cloud.network` reads, for an endpoint that is or becomes private and has a probe."""
    body = endpoints.list_endpoints(cloud).get(spec.name)
    existing = ((body or {}).get("properties") or {}).get("publicNetworkAccess")
    access = str(spec.endpoint.get("public_network_access") or existing or "").lower()
    if access != "disabled" or spec.pipeline.probe is None:
        return {}
    return {address(NAME, spec.key): network.read_reach(cloud, spec.name, body)}


def check(spec: EndpointSpec, steps: Sequence[Step], facts: Facts) -> list[Step]:
    """The check of an endpoint that is probed."""
    seen = facts.get(address(NAME, spec.key))
    if seen is None or not any(step.verb is Verb.PROBE for step in steps):
        return []
    return [judge(seen).step(address(NAME, spec.key), {"endpoint": spec.name})]


def run(cloud: Cloud, step: Step) -> Evidence:
    """Connects again right before the first change."""
    name = str(step.body["endpoint"])
    row = network.read_reach(cloud, name, endpoints.list_endpoints(cloud).get(name))
    return judge(row).evidence(step.address, {})
