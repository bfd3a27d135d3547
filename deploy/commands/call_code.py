"""How to call an endpoint from other programs: after apply created it, and for `invoke --code`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence

from deploy.cloud import endpoints
from deploy.cloud.connect import Cloud
from deploy.commands.invoke import REQUEST_FILE, Input, key_of, probe_for
from deploy.commands.keys import token_command
from deploy.commands.project import Project, validate
from deploy.commands.result import Result
from deploy.domain.plan import Verb
from deploy.domain.report import State
from deploy.domain.spec import EndpointSpec
from deploy.errors import CloudError
from deploy.leasing import lineage
from deploy.reporter import CallCode


def code_of(project: Project, name: str, key: str | None, sent: Input, slot: str | None = None) -> CallCode:
    """The code for one request with this input. Azure is asked for the scoring URI; no request is sent."""
    key = key_of(project, name, key)
    environment, specs = validate(project, name, [key])
    probe_for(specs[0], sent)
    with project.connect(environment) as cloud:
        existing = endpoints.list_endpoints(cloud)
        current = lineage.with_current_names(specs, existing)[0]
        properties = (existing.get(current.name) or {}).get("properties") or {}
        if not properties.get("scoringUri"):
            cause = f"{current.name} does not exist, or has no scoring URI yet"
            raise CloudError(f"print the code for {key}", cause, "Apply first", code="AML375")
        return _code(cloud, current, str(properties["scoringUri"]), str(properties.get("authMode")), sent, slot)


def codes_after(cloud: Cloud, specs: Sequence[EndpointSpec], result: Result) -> tuple[CallCode, ...]:
    """The code for each endpoint that a successful run created; none if the emulator ends with the command."""
    if cloud.ends_with_command or not result.report.ok:
        return ()
    created = {o.address.endpoint for o in result.report.outcomes if o.verb is Verb.CREATE and o.state is State.DONE
               and o.address.kind == "endpoint"}  # fmt: skip
    rows = {row.key: row for row in result.endpoint_rows if row.key in created and row.scoring_uri}
    return tuple(
        _code(cloud, spec, rows[spec.key].scoring_uri, rows[spec.key].auth_mode, Input())
        for spec in specs
        if spec.key in rows
    )


def _code(cloud: Cloud, spec: EndpointSpec, uri: str, auth_mode: str, sent: Input, slot: str | None = None) -> CallCode:
    """`auth_mode`: in the form of the files or of Azure."""
    name, mode = cloud.environment.name, auth_mode.replace("_", "").lower()
    given = {"--image": sent.image, "--text": sent.text, "--request-file": sent.file}
    words = [word for option, value in given.items() if value is not None for word in (option, str(value))]
    command = ["amldeploy", "invoke", "-e", name, spec.key, *words]
    token = shlex.join(["amldeploy", "keys", "show", "-e", name, spec.key, "--show"])
    if mode != "key":
        token = "" if cloud.environment.cloud == "local" else token_command(cloud, spec.name, mode)
    known = spec.pipeline.probe is not None or sent.file is not None
    invoked = [*command, *([] if known else REQUEST_FILE.split()), *(["--slot", slot] if slot else [])]
    return CallCode(
        uri=uri,
        invoke=shlex.join(invoked),
        request=shlex.join([*command, "--print-request"]) if known else "",
        token=token,
        deployment=slot or "",
        ca=_path(cloud.ca) if cloud.ca else "",
    )


def _path(file: str) -> str:
    """The path from the current folder, where the code will run; absolute on another drive of Windows."""
    try:
        return os.path.relpath(file)
    except ValueError:
        return file
