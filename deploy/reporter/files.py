"""Contents of files, as file name -> content: those of a report, and the CLI v2 files of an endpoint. Pure."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from deploy.documents import yaml12
from deploy.documents.local_paths import local_paths
from deploy.domain.arm import Json
from deploy.domain.plan import Plan
from deploy.domain.report import Report
from deploy.domain.spec import EndpointSpec
from deploy.redact import redact_secrets
from deploy.reporter.html import report_html
from deploy.reporter.json_documents import plan_json, report_json
from deploy.reporter.status_rows import EndpointRow


def report_files(plan: Plan, report: Report, rows: Sequence[EndpointRow] = ()) -> dict[str, bytes]:
    """The evidence files of each step, named after the step; the report as HTML and as JSON; the plan as JSON. `rows`:
    the endpoints after the run, if they were read.
    """
    evidence = {
        f"{str(outcome.address).replace('/', '-')}-{name}": content
        for outcome in report.outcomes
        for name, content in outcome.evidence.files.items()
    }
    return {
        **evidence,
        "report.html": report_html(report, plan, rows).encode(),
        "report.json": json.dumps(report_json(report), indent=2).encode(),
        "plan.json": json.dumps(plan_json(plan), indent=2).encode(),
    }


def cli_files(spec: EndpointSpec, root: Path, *, whole: bool = True, plain: bool = False) -> dict[str, str]:
    """The CLI v2 files of one endpoint. Local paths become absolute, so that the files work in any folder.

    `whole`: with secrets, for a deployment; otherwise they are hidden, for a screen. `plain`: non-ASCII characters are
    escaped.
    """

    def write(document: Mapping[str, Json]) -> str:
        return _yaml(document if whole else redact_secrets(document), plain=plain)

    traffic = {"traffic": dict(spec.traffic)} if spec.traffic is not None else {}
    files = {f"{spec.key}/endpoint.yml": write({**spec.endpoint, **traffic})}
    for document in spec.deployments:
        name = "deployment" if len(spec.deployments) == 1 else f"{document['name']}-deployment"
        files[f"{spec.key}/{name}.yml"] = write(_absolute(document, (root / spec.folder).resolve()))
    return files


def _absolute(document: Mapping[str, Json], folder: Path) -> dict[str, Json]:
    whole = copy.deepcopy(dict(document))
    for (*above, last), path in local_paths(document, folder):
        parent: Json = whole
        for part in above:
            parent = parent[part]
        parent[last] = str(path)
    return whole


_FOLDED = ("\x85", "\u2028", "\u2029")
"""Line ends that PyYAML writes as they are and reads as a space or a line end."""


class _Dumper(yaml.SafeDumper):
    """Quotes each text that YAML 1.1 or YAML 1.2 would parse as another type, and escapes line ends that they fold."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = None if isinstance(yaml12.resolve(value), str) else "'"
    style = '"' if any(end in value for end in _FOLDED) else style
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def _yaml(document: Mapping[str, Json], *, plain: bool) -> str:
    return yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=not plain, width=120)
