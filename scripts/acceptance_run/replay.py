"""Sends the requests of a recording to an emulator and compares the answers.

The emulator has a world with the workspace of the recording, and its clock is stopped: it moves on where the recording
shows the end of an operation. Of repeated reads only the first, if an operation was running, and the last are sent.
Ids that the service chose (operations, role assignments, the container of a datastore) are translated.

A recording comes from another machine. Nothing of it is executed: the scoring script is always that of the template.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import requests

from deploy import emulator
from deploy.emulator.http import routes
from scripts.acceptance_run.clean import Cleaner
from scripts.acceptance_run.compare import Difference, differences
from scripts.acceptance_run.project import TEMPLATE, scoring_script
from scripts.acceptance_run.record import LARGEST, body_of, kept_headers

Json = Any
_WORKSPACE = re.compile(
    r"(?i)/subscriptions/([^/?]+)/resourceGroups/([^/?]+)/providers/Microsoft\.MachineLearningServices/workspaces/([^/?]+)"
)
_ENDPOINT = re.compile(r"(?i)/onlineEndpoints/([^/?]+)")
_GUID = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAME = re.compile(r"(?<=/)(?:storageAccounts|registries|vaults|components)/([^/?]+)")
"""Names of resources beside the workspace, in ids."""
_BLOB_PATH = re.compile(r"^/\w+\.blob\.core\.windows\.net/")
_BLOB_URL = re.compile(r"https://(\w+)\.blob\.core\.[a-z.]+/")
_AT_REST = frozenset({"succeeded", "failed", "canceled"})
_LONGEST_OPERATION = 120.0
"""Seconds of real time: a scoring server is really started."""
_UNSENDABLE = (requests.RequestException, UnicodeError, RecursionError)
"""What a request of a recording that no client sends raises."""
_STEP = 60
"""Seconds by which the emulator's clock advances while an operation runs."""


class Unusable(Exception):
    """The recording cannot be replayed; the message names the reason."""


@dataclass
class Replayed:
    """The differences, how many requests were sent, and how many were left out: throttled, or not recorded."""

    rows: list[Difference] = field(default_factory=list)
    sent: int = 0
    left_out: int = 0

    @property
    def summary(self) -> str:
        """The counts in one line."""
        left_out = f", {self.left_out} left out (throttled, failed in the service, incomplete)" if self.left_out else ""
        return f"{self.sent} requests replayed{left_out}, {len(dict.fromkeys(self.rows))} differences."


def replay(recording: Path, state: Path, profile: str = "realistic") -> Replayed:
    """Replay a recording against a new emulator in the empty folder `state`. Raises Unusable."""
    found = Replayed()
    entries = [each for each in read(recording) if _is_whole(each, found)]
    endpoint = next((name[1] for each in entries if (name := _ENDPOINT.search(each["request"]["path"]))), "")
    world = _world_file(entries, state)
    if any("/codes/" in each["request"]["path"] for each in entries) and (reason := emulator.scoring_problem(state)):
        raise Unusable(reason)
    try:
        with (
            emulator.embed(state, profile, throttle=False, world=world, time_scale=0.0) as running,
            Client(running, state, endpoint) as client,
        ):
            for entry in collapsed(entries):
                try:
                    found.rows += client.differences(entry)
                    found.sent += 1
                except _UNSENDABLE:
                    found.left_out += 1
    except emulator.InvalidFile as wrong:
        raise Unusable(f"its workspace is invalid: {wrong}") from None
    return found


def read(recording: Path) -> list[Json]:
    """The lines of a recording in the order of their start; {} for a line that is not one. Raises Unusable."""
    try:
        with recording.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise Unusable(f"{recording}: {error.strerror}") from None
    if len(content) > LARGEST:
        raise Unusable(f"it is larger than {LARGEST >> 20} MiB")
    entries = [_parsed(line) for line in content.splitlines()]
    return sorted(entries, key=lambda each: each.get("started", 0.0))


def _parsed(line: bytes) -> dict[str, Json]:
    """One line, if it has the form of an exchange; otherwise {}."""
    try:
        entry = json.loads(line)
        request, response = entry["request"], entry["response"]
        texts = (request["method"], request["path"], *request["headers"].values(), *response["headers"].values())
        fits = all(isinstance(each, str) for each in texts) and request["path"].startswith("/")
        fits = fits and isinstance(response["status"], int) and isinstance(entry["started"], float | int)
        return dict(entry) if fits and {"body"} <= request.keys() & response.keys() else {}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _is_whole(entry: Mapping[str, Json], found: Replayed) -> bool:
    """Whether an entry is replayed; the others are counted."""
    whole = bool(entry) and entry["response"]["status"] != 429 and entry["response"]["status"] < 500
    found.left_out += not whole
    return whole


def _world_file(entries: Sequence[Json], state: Path) -> Path:
    """A world file with the workspace of the recording."""
    for entry in entries:
        at, body = _WORKSPACE.fullmatch(entry["request"]["path"].partition("?")[0]), entry["response"]["body"]
        if at and isinstance(body, Mapping) and isinstance(body.get("location"), str):
            names = dict(zip(("subscription", "resource_group", "name"), at.groups(), strict=True))
            path = state / "world.yml"
            path.write_text(json.dumps({"workspaces": [{**names, "region": body["location"]}]}))
            return path
    raise Unusable("it contains no answer with the workspace")


def collapsed(entries: Sequence[Json]) -> Iterator[Json]:
    """The entries, with repeated reads of the same address reduced to the first (if it shows an operation that runs)
    and the last.
    """
    for (method, _), group in itertools.groupby(entries, lambda each: (each["request"]["method"], _address(each))):
        same = list(group)
        if method != "GET":
            yield from same
            continue
        yield from same[:1] if len(same) > 1 and _is_running(same[0]["response"]) else []
        yield same[-1]


def _address(entry: Json) -> str:
    return str(entry["request"]["path"]).partition("?")[0].lower()


def _is_running(response: Mapping[str, Json]) -> bool:
    """Whether an answer to a read shows an operation in progress."""
    body = response["body"] if isinstance(response["body"], Mapping) else {}
    properties = body.get("properties")
    state = body.get("status") or (properties.get("provisioningState") if isinstance(properties, Mapping) else None)
    return response["status"] == 202 or (isinstance(state, str) and state.lower() not in _AT_REST)


class Client(contextlib.AbstractContextManager["Client"]):
    """Sends recorded requests to an emulator. `endpoint` is the endpoint of the run."""

    def __init__(self, running: emulator.Running, state: Path, endpoint: str) -> None:
        self._url, self._state, self._cleaner = running.url, state, Cleaner(b"replay", endpoint)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = running.ca
        asked = {"api-version": "2019-08-01", "resource": "https://management.azure.com"}
        header = {"X-IDENTITY-HEADER": running.variables()["IDENTITY_HEADER"]}
        token = self._session.get(running.identity_url, params=asked, headers=header, timeout=30).json()["access_token"]
        self._token, self._key = token, ""
        self._ids: dict[str, str] = {}
        """Recorded -> the emulator's."""
        self._chosen: set[str] = set()
        """Ids that the client chose: they are the same in the emulator."""

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def differences(self, entry: Json) -> list[Difference]:
        """Send one recorded request, wait for the end of an operation if the recording does, and compare."""
        request, recorded = self.translated(entry["request"]), entry["response"]
        answer = self._send(request)
        end = time.monotonic() + _LONGEST_OPERATION
        waits = request["method"] == "GET" and not _is_running(recorded)
        while waits and _is_running(answer) and time.monotonic() < end:
            emulator.clock(self._state, advance=_STEP)
            time.sleep(0.02)
            answer = self._send(request)
        if isinstance(answer["body"], Mapping) and "/listkeys" in request["path"].lower():
            self._key = str(answer["body"].get("primaryKey") or self._key)
        self.learn(recorded, answer)
        cleaned = self._cleaner.exchange({"request": request, "response": answer})["response"]
        return list(differences(_operation(request), recorded, cleaned))

    def _send(self, request: Mapping[str, Json]) -> dict[str, Json]:
        kind = next((value for name, value in request["headers"].items() if name.lower() == "content-type"), "")
        body = request["body"]
        content = None if body is None else json.dumps(body) if "json" in kind.lower() else str(body)
        credential = f"Bearer {self._key if request['path'].startswith('/inference/') else self._token}"
        if _BLOB_PATH.match(
            request["path"]
        ):  # the recorded one is hidden; the emulator checks no signature of this form
            credential = "SharedKey replay:replay"
        headers = {**request["headers"], "Authorization": credential}
        reply = self._session.request(
            request["method"], self._url + request["path"], data=content and content.encode(), headers=headers,
            timeout=120, allow_redirects=False,
        )  # fmt: skip
        answer = body_of(reply.content, str(reply.headers.get("Content-Type") or ""))
        return {"status": reply.status_code, "headers": kept_headers(reply.headers), "body": answer}

    def translated(self, request: Mapping[str, Json]) -> dict[str, Json]:
        """The request with the emulator's ids, and with files of the template only."""
        body = request["body"]
        self._chosen |= {*_GUID.findall(request["path"]), *_GUID.findall(json.dumps(body))} - self._ids.keys()
        path = self._own_ids(request["path"])
        if body is not None and _BLOB_PATH.match(path):
            body = _template_file(path, str(body))
        elif body is not None:
            text = _BLOB_URL.sub(rf"{self._url}/\1.blob.core.windows.net/", self._own_ids(json.dumps(body)))
            body = _harmless(json.loads(text))
        return {**request, "path": path, "body": body}

    def _own_ids(self, text: str) -> str:
        if not self._ids:
            return text
        known = re.compile("|".join(map(re.escape, sorted(self._ids, key=len, reverse=True))))
        return known.sub(lambda found: self._ids[found[0]], text)

    def learn(self, recorded: Json, answer: Json, key: str = "") -> None:
        """Remember which id of the emulator has the place of a recorded id."""
        if isinstance(recorded, Mapping) and isinstance(answer, Mapping):
            for name in recorded.keys() & answer.keys():
                self.learn(recorded[name], answer[name], str(name))
        elif isinstance(recorded, list) and isinstance(answer, list):
            for item in recorded:
                if twin := max(answer, key=lambda each: _equal_leaves(item, each), default=None):
                    self.learn(item, twin)
        elif isinstance(recorded, str) and isinstance(answer, str) and recorded != answer:
            pairs = [(recorded, answer)] if key == "containerName" else []
            for parts in (_GUID.findall, _NAME.findall):
                theirs, ours = parts(recorded), parts(answer)
                pairs += zip(theirs, ours, strict=True) if len(theirs) == len(ours) else []
            self._ids |= {old: new for old, new in pairs if old != new and old not in self._chosen}


def _operation(request: Mapping[str, Json]) -> str:
    """The name of a request in the emulator's request log; method and path if the emulator does not have it."""
    path, _, query = request["path"].partition("?")
    values = {**{name.lower(): value for name, value in request["headers"].items()}, **dict(parse_qsl(query))}
    found = routes.find(request["method"], path, values)
    return found[0].name if found else f"{request['method']} {path}"


def _equal_leaves(first: Json, second: Json) -> int:
    """How many values two items have in common, at the same places."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return sum(_equal_leaves(first[name], second[name]) for name in first.keys() & second.keys())
    return int(first == second and not isinstance(first, list))


def _template_file(path: str, recorded: str) -> str:
    """The content of an uploaded file: that of the template; empty for a file that the template does not have."""
    name = path.partition("?")[0].rpartition("/")[2]
    if name == "score.py":
        release = re.search(r'^RELEASE = "([\w-]{1,60})"', recorded, re.MULTILINE)
        return scoring_script(release[1] if release else "RELEASE", fails="\nFAILS = True\n" in recorded)
    return (TEMPLATE / "model" / name).read_text(encoding="utf-8") if name == "model.json" else ""


def _harmless(body: Json) -> Json:
    """The body of a request, without settings with which a deployment could run anything but the template's script."""
    properties = body.get("properties") if isinstance(body, Mapping) else None
    if not isinstance(properties, Mapping) or not isinstance(properties.get("codeConfiguration"), Mapping):
        return body
    code = {**properties["codeConfiguration"], "scoringScript": "score.py"}
    return {**body, "properties": {**properties, "codeConfiguration": code, "environmentVariables": {}}}
