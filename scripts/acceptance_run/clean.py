"""Removes secrets, ids and names of people and resources from an exchange before it is written to a recording.

A secret is found by the name of its value, by its form, or because it is long and random. Ids and names are replaced by
others that stay the same within one run, so the requests of a recording still refer to each other:
`00000000-0000-0000-xxxx-xxxxxxxxxxxx` for a GUID, `recorded-xxxxxxxx` for a name. Published ids of built-in roles stay.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from deploy.emulator.rbac.builtin_roles import ROLES
from deploy.redact import HIDDEN, redact_secrets, secret_values
from deploy.sanitize import sanitize

Json = Any
LONGEST_TEXT = 20_000
"""Characters; the rest of a longer text is cut."""
LONGEST_LIST = 200
"""Items; of a longer list the first and the last half of these stay."""
_SHORT = 4
_ML = "microsoft.machinelearningservices"
_PUBLIC = frozenset({"microsoft.authorization", "microsoft.resources"})
"""Providers without names of resources."""
_ASSETS = frozenset({
    "deployments", "codes", "environments", "models", "data", "datastores", "versions", "labels", "locations",
    "mfeoperationsstatus", "mfeoperationresults", "workspaceoperationsstatus", "operationsstatus", "usages",
    "quotas", "vmsizes",
})  # fmt: skip
"""Types of Azure ML whose names are no names of resources of the user, or are those of this run."""
_PEOPLE = frozenset({
    "createdby", "lastmodifiedby", "username", "userprincipalname", "upn", "email", "mail", "givenname",
    "surname", "principalname",
})  # fmt: skip
_TEXTS = frozenset(["description", "friendlyname", "displayname", "condition"])
_SECRET_ACTION = re.compile(r"(?i)/(listsecrets|listkeys|regeneratekeys|token)(\?|$)")
_KEY = re.compile(r"[\w+/=.~-]{16,}")
"""A key or token in the answer of such an action; not a URL."""
_ARM = re.compile(r"(?i)/subscriptions/[^/\s\"'?,;]+(?:/[^/\s\"'?,;]+)+")
_GUID = re.compile(r"(?i)(?<![0-9a-f])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9a-f])")
_OURS = re.compile(r"(?i)00000000-0000-0000-[0-9a-f]{4}-[0-9a-f]{12}|recorded-?[0-9a-f]{8,}")
_KNOWN = re.compile(f"{_GUID.pattern}|{_OURS.pattern.removeprefix('(?i)')}")
_RUN = r"[A-Za-z0-9+=_~-]"
_RANDOM = re.compile(rf"(?={_RUN}*[0-9])(?={_RUN}*[A-Za-z]){_RUN}{{32,}}")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{40,}={1,2}")
_QUERY = re.compile(r"([?&](?!\$|hash=)[\w.-]+=)[^&\s\"'<>]{41,}")
_EMAIL = re.compile(r"[\w.+-]+(?:#EXT#)?@[\w-]+(?:\.[\w-]+)+")
_ADDRESS = re.compile(r"(?<!\d)(?<!\d\.)(?!127\.0\.0\.1)\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)")
_HOST = re.compile(
    r"(?i)(?<![\w.-])([a-z0-9-]+)(?=\.(?:(?:blob|file|dfs|queue|table)\.core\.[a-z]|vault\.(?:azure|usgov)|azurecr\.[a-z]))"
)
_LOCAL = re.compile(
    r"https://127\.0\.0\.1(?::\d+)?(?:/([\w-]+)\.blob\.core\.windows\.net|/inference/([\w-]+)/([\w-]+))?"
)


class Cleaner:
    """Cleans the exchanges of one run. The same `salt` gives the same replacements; `endpoint` is that of the run."""

    def __init__(self, salt: bytes, endpoint: str) -> None:
        self._salt, self._endpoint = salt, endpoint
        self._names: dict[str, str] = {}
        """The names in the ids of all exchanges so far, and what replaces them in other texts."""
        self._secrets: set[str] = set()

    def learn_secret(self, secret: str) -> None:
        """Hide this text wherever it occurs."""
        if len(secret) > 5:
            self._secrets.add(secret)

    def exchange(self, entry: Mapping[str, Json]) -> dict[str, Json]:
        """The exchange, cleaned: {"request": {method, path, headers, body}, "response": {status, headers, body}}."""
        request, response = dict(entry["request"]), dict(entry["response"])
        if _SECRET_ACTION.search(request["path"]):
            self._secrets |= set(filter(_KEY.fullmatch, _secrets(response["body"])))
            response["body"] = _without_texts(response["body"])
        elif request["path"].partition("?")[0].lower().endswith("/startpendingupload"):
            response["body"] = _without_texts(response["body"])
        for part in (request, response):
            self._secrets |= secret_values(part["body"])
            part["body"] = redact_secrets(self._structure(part["body"]))
        found = {**entry, "request": request, "response": response}
        for text in _strings(found):
            self._learn_names(text)
        cleaned: dict[str, Json] = _mapped(found, self.text)
        return cleaned

    def text(self, text: str) -> str:
        """One text, cleaned."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        text = sanitize(_LOCAL.sub(_as_in_azure, text))
        text = _QUERY.sub(r"\1...", _ARM.sub(lambda found: self._path(found[0]), text))
        text = _ADDRESS.sub("192.0.2.1", _EMAIL.sub("person@example.com", text))
        text = _HOST.sub(lambda found: self._name(found[1], dash=False), text)
        for name in sorted(self._names, key=len, reverse=True):
            text = _whole(name).sub(self._names[name], text)
        text = _around(_GUID, text, self._guid, lambda rest: _BASE64.sub(HIDDEN, rest))
        text = _around(_KNOWN, text, str, lambda rest: _RANDOM.sub(lambda found: self._random(found[0]), rest))
        return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]} ... (cut)"

    def _structure(self, value: Json, own: bool = False) -> Json:
        """The value without other endpoints of the workspace, tags of other resources and texts that people wrote."""
        if isinstance(value, list):
            half = LONGEST_LIST // 2
            items = value if len(value) <= LONGEST_LIST else [*value[:half], *value[-half:]]
            return [self._structure(item, own) for item in items if not self._is_other(item)]
        if not isinstance(value, Mapping):
            return value
        own = own or not isinstance(value.get("id"), str) or f"/{self._endpoint}".lower() in value["id"].lower()
        return {key: self._field(str(key).lower(), item, own) for key, item in value.items()}

    def _field(self, name: str, value: Json, own: bool) -> Json:
        if isinstance(value, str) and value and name in _PEOPLE and not _GUID.fullmatch(value):
            return "(person)"
        if isinstance(value, str) and value and name in _TEXTS:
            return "(text)"
        if isinstance(value, Mapping) and name == "tags" and not own:
            return {}
        return self._structure(value, own)

    def _is_other(self, item: Json) -> bool:
        """Whether an item of a list is another endpoint, or belongs to it."""
        identifier = item.get("id") if isinstance(item, Mapping) else None
        found = re.search(r"(?i)/(?:online|batch|serverless)endpoints/([^/]+)", str(identifier or ""))
        return bool(found and found[1].lower() != self._endpoint.lower())

    def _learn_names(self, text: str) -> None:
        for path in _ARM.findall(text):
            for kind, name in _pairs(path):
                if self._is_private(*kind) and not _OURS.fullmatch(name) and not _GUID.fullmatch(name):
                    self._names.setdefault(name, self._name(name, dash=kind[1] != "storageaccounts"))

    def _path(self, path: str) -> str:
        """An ARM id, with the private names replaced."""
        parts = path.split("/")
        for at, (kind, name) in enumerate(_pairs(path)):
            if self._is_private(*kind) and not _GUID.fullmatch(name):
                parts[2 * at + 2] = self._name(name, dash=kind[1] != "storageaccounts")
        return "/".join(parts)

    def _is_private(self, provider: str, kind: str) -> bool:
        """Whether names of this type of resource can be names that the user chose."""
        if not provider:
            return kind in ("resourcegroups", "workspaces")
        return kind != "providers" and provider not in _PUBLIC and (provider != _ML or kind not in _ASSETS)

    def _name(self, name: str, *, dash: bool = True) -> str:
        if name.lower() == self._endpoint.lower() or _OURS.fullmatch(name):
            return name
        return f"recorded{'-' if dash else ''}{self._digest(name)[:8]}"

    def _guid(self, guid: str) -> str:
        if guid.lower() in _ROLE_IDS or _OURS.fullmatch(guid):
            return guid
        digest = self._digest(guid)
        return f"00000000-0000-0000-{digest[:4]}-{digest[4:16]}"

    def _random(self, text: str) -> str:
        return f"recorded{self._digest(text)[:16]}"

    def _digest(self, text: str) -> str:
        return hmac.new(self._salt, text.lower().encode(), hashlib.sha256).hexdigest()


_ROLE_IDS = frozenset(str(row[0]).lower() for row in ROLES)


@lru_cache(maxsize=4096)
def _whole(name: str) -> re.Pattern[str]:
    """A name in a text, also as a part of a host name; a short one, such as `ml`, only as a word of its own."""
    more = "-" if len(name) < _SHORT else ""
    dots = (r"(?<!\w\.)", r"(?!\.\w)") if len(name) < _SHORT else ("", "")
    return re.compile(rf"(?i)(?<![\w{more}]){dots[0]}{re.escape(name)}(?![\w{more}]){dots[1]}")


def _pairs(path: str) -> Iterator[tuple[tuple[str, str], str]]:
    """((provider, type), name) of each part of an ARM id, in lower case except the name."""
    parts, provider = path.split("/")[1:], ""
    for kind, name in zip(parts[::2], parts[1::2], strict=False):
        provider = name.lower() if kind.lower() == "providers" else provider
        yield (provider, kind.lower()), name


def _around(pattern: re.Pattern[str], text: str, inside: Callable[[str], str], outside: Callable[[str], str]) -> str:
    """The text with `inside` applied to each match of the pattern, and `outside` to everything between them."""
    parts, at = [], 0
    for found in pattern.finditer(text):
        parts += [outside(text[at : found.start()]), inside(found[0])]
        at = found.end()
    return "".join([*parts, outside(text[at:])])


def _as_in_azure(found: re.Match[str]) -> str:
    """An address of the emulator in the form of Azure's."""
    account, region, endpoint = found.groups()
    if account:
        return f"https://{account}.blob.core.windows.net"
    return f"https://{endpoint}.{region}.inference.ml.azure.com" if endpoint else "https://management.azure.com"


def _secrets(value: Json) -> Iterator[str]:
    """The texts of such an answer that can be secrets: not the names of types, not times."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from [] if str(key).endswith(("Type", "Utc")) else _secrets(item)
    elif isinstance(value, list):
        for item in value:
            yield from _secrets(item)
    elif isinstance(value, str):
        yield value


def _without_texts(value: Json) -> Json:
    """The answer of an action that returns secrets: each text is hidden, except the names of types."""
    if isinstance(value, Mapping):
        return {k: v if str(k).endswith("Type") and isinstance(v, str) else _without_texts(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_texts(item) for item in value]
    return HIDDEN if isinstance(value, str) and value else value


def _mapped(value: Json, change: Callable[[str], str]) -> Json:
    """The value with each of its texts changed, those of keys included."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(str(key)): _mapped(item, change) for key, item in value.items()}
    return [_mapped(item, change) for item in value] if isinstance(value, list) else value


def _strings(value: Json) -> Iterator[str]:
    """Each text of a value, those of keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
