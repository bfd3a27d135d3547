"""The command invoke: one scoring request to a deployment of an endpoint, and whether its answer is good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from deploy import probes
from deploy.cloud import endpoints, logs
from deploy.cloud.connect import Cloud
from deploy.commands.project import Project, read_facts, validate
from deploy.commands.result import save_files
from deploy.config import reader, selection, validation
from deploy.documents.pipeline import Probe
from deploy.domain import history
from deploy.domain.arm import Facts, Json, address, facts_of
from deploy.domain.spec import EndpointSpec
from deploy.errors import CloudError, UsageError
from deploy.reporter import Call, call_files
from deploy.steps import SHOWN
from deploy.steps import probe as probe_step

REQUEST_FILE = "--request-file request.json"
"""What a printed command uses for an endpoint without a probe."""


@dataclass(frozen=True)
class Input:
    """The input of a request: that of the probe, with `image` and `text` in place of its own, or a JSON `file`."""

    image: Path | None = None
    text: str | None = None
    file: Path | None = None


def invoke(
    project: Project, name: str, key: str | None, sent: Input, *, slot: str | None = None, save: Path | None = None
) -> Call:
    """Send one request to the live deployment, or to `slot`. `key` may be None if the environment has one endpoint.

    `save`: the folder for the pictures, the answer and the measurements. The request is not repeated.
    """
    key = key_of(project, name, key)
    environment, specs = validate(project, name, [key])
    probe, folder = probe_for(specs[0], sent), _folder(project, specs[0], sent)
    _built(key, probe, folder, sent)
    with project.connect(environment) as cloud:
        current, facts = read_facts(cloud, specs, SHOWN)
        deployment = _deployment(current[0], facts[key], slot)
        body = {"probe": probe, "folder": str(folder), "endpoint": current[0].name, "deployment": deployment}
        return _send(cloud, key, body, save)


def request_of(project: Project, name: str, key: str | None, sent: Input) -> bytes:
    """The JSON body that `invoke` would send. Azure is not asked."""
    key = key_of(project, name, key)
    _, specs = validate(project, name, [key])
    return _built(key, probe_for(specs[0], sent), _folder(project, specs[0], sent), sent)


def key_of(project: Project, name: str, key: str | None) -> str:
    """The key of the endpoint that is named; without a name that of the only endpoint of the environment."""
    return selection.one(validation.survey_environment(reader.read_environment(project.root, name)), key)


def probe_for(spec: EndpointSpec, sent: Input) -> Json:
    """The probe whose request and check fit this input. Raises UsageError for an input that the model does not take."""
    own, what = spec.pipeline.probe, f"invoke {spec.key}"
    for path in filter(None, (sent.image, sent.file)):
        if not path.is_file():
            raise UsageError(what, f"there is no file {path}", "Check the path", code="AML681")
    replaced = {k: v for k, v in (("image", sent.image), ("text", sent.text)) if v is not None}
    if sent.file:
        if replaced:
            cause = "a request file is the whole request"
            raise UsageError(what, cause, "Use --request-file without --image and --text", code="AML681")
        limits = own.model_dump(mode="json", include={"timeout", "max_answer_mb"}) if own else {}
        return Probe(type="http", body=sent.file.resolve().name).model_dump(mode="json") | limits
    if own is None:
        raise UsageError(what, "it has no probe, so its input is not known", "Use --request-file FILE", code="AML681")
    inputs = [f"--{option}" for option in probes.find(own.type).INPUTS]
    if unknown := [f"--{option}" for option in replaced if f"--{option}" not in inputs]:
        cause = f"a model with a probe of type {own.type} does not take {' and '.join(unknown)}"
        cure = f"Use {' and '.join(inputs)}, or --request-file FILE" if inputs else "Use --request-file FILE"
        raise UsageError(what, cause, cure, code="AML681")
    names = {k: v.resolve().name if isinstance(v, Path) else v for k, v in replaced.items()}
    ranges = {"plausible": None} if names else {}  # those of the sample do not fit another input
    return own.model_dump(mode="json") | names | ranges


def _folder(project: Project, spec: EndpointSpec, sent: Input) -> Path:
    """The folder of the files of the request: an input of the user may be anywhere."""
    own = sent.image or sent.file
    return own.resolve().parent if own else project.root.resolve() / spec.folder


def _built(key: str, probe: Mapping[str, Json], folder: Path, sent: Input) -> bytes:
    try:
        return probes.find(str(probe["type"])).request(probe, folder)
    except probes.InvalidProbe as invalid:
        if sent == Input():
            raise
        raise UsageError(f"invoke {key}", invalid.cause, invalid.cure, code="AML681") from invalid


def _deployment(spec: EndpointSpec, facts: Facts, slot: str | None) -> str:
    """`slot`, else the deployment with the live release. Raises an error if there is none."""
    what, found = f"invoke {spec.key}", sorted(facts_of(facts, "deployment", spec.key))
    if slot is not None and slot not in found:
        cause = f"{spec.name} has no deployment {slot}"
        raise UsageError(what, cause, f"It has {', '.join(found) or 'none'}", code="AML647")
    live = slot or history.live_in(facts, spec.key)
    if live is None:
        there = address("endpoint", spec.key) in facts
        cause = f"{spec.name} {'has no deployment with traffic' if there else 'does not exist'}"
        cure = f"Apply first, or use --slot {found[0]}" if found else "Apply first"
        raise CloudError(what, cause, cure, code="AML375")
    return live


def _send(cloud: Cloud, key: str, body: Mapping[str, Json], save: Path | None) -> Call:
    endpoint = endpoints.read_recent_endpoint(cloud, str(body["endpoint"])) or {}
    uri = str((endpoint.get("properties") or {}).get("scoringUri") or "")
    call = Call(key, str(body["endpoint"]), str(body["deployment"]), uri)
    saved = f"answer.txt {f'in {save}' if save else 'of --save FOLDER'}"
    try:
        evidence, answer = probe_step.send(cloud, body, f"invoke {key}/{call.deployment}", saved)
        call = replace(call, evidence=evidence, answer=answer)
    except CloudError as error:
        logs.name_command(error, cloud.environment.name, key, call.deployment)
        call = replace(call, error=error)
    paths = save_files(save, call_files(call)) if save else ()
    return replace(call, files=tuple(map(str, paths)))
