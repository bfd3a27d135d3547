"""Code that calls an endpoint: a curl command and a Python program, which work when pasted and contain no key. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class CallCode:
    """How to call an endpoint. Commands are shell text; `ca` is a file, or empty in Azure.

    `invoke`: the command that sends the request; `request` prints its JSON, empty if there is no known input;
    `token` prints the key or the token, empty if no program can; `deployment`: named in a header, or empty.
    """

    uri: str
    invoke: str
    request: str
    token: str
    deployment: str = ""
    ca: str = ""


def call_code(call: CallCode) -> str:
    """The block that apply prints for a new endpoint."""
    parts = [f"Call the model: {call.invoke}"]
    if call.token:
        own = "" if call.request else ", with your request in request.json"
        parts += [f"With curl{own}:", _curl(call), f"With Python{own}:", _python(call)]
    return "\n\n".join(parts)


def _curl(call: CallCode) -> str:
    source = f"{call.request} |\n  " if call.request else ""
    local = f" --cacert {shlex.quote(call.ca)} --noproxy '*'" if call.ca else ""
    slot = f'-H "azureml-model-deployment: {call.deployment}" ' if call.deployment else ""
    return "\n".join((
        f"{source}curl -sS --fail-with-body{local} \\",
        f'  -H "Authorization: Bearer $({call.token})" \\',
        f'  -H "Content-Type: application/json" {slot}--data-binary @{"-" if source else "request.json"} \\',
        f"  -o answer.json {shlex.quote(call.uri)}",
    ))  # fmt: skip


def _python(call: CallCode) -> str:
    opener = "urllib.request.build_opener()"
    local = []
    if call.ca:
        local = [
            "# Only for the emulator: its certificate, and no proxy.",
            f"trust = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile={call.ca!r}))",
        ]
        opener = "urllib.request.build_opener(urllib.request.ProxyHandler({}), trust)"
    body = (
        f"subprocess.check_output({call.request!r}, shell=True)"
        if call.request
        else "open('request.json', 'rb').read()"
    )
    slot = [f'headers["azureml-model-deployment"] = {call.deployment!r}'] if call.deployment else []
    return "\n".join((
        f"import {'ssl, ' if call.ca else ''}subprocess, urllib.request",
        f"token = subprocess.check_output({call.token!r}, shell=True, text=True).strip()",
        f"body = {body}",
        'headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}',
        *slot,
        *local,
        f"request = urllib.request.Request({call.uri!r}, body, headers)",
        f"print({opener}.open(request).read()[:500])",
    ))  # fmt: skip
