"""What is a secret, decided in one place: by the name of a value, and by the form of a text.

Every output uses it: plan text, JSON, markdown, HTML, plan files, reports, events, `import`, the masks of GitHub. A
secret becomes `(hidden)`; a name or a text that looks like neither does not change. The names and forms are those that
the public secret scanners gitleaks and detect-secrets look for.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

Json = Any
HIDDEN = "(hidden)"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Names. A name is split into words at case, digits and punctuation; its last word decides.
_SECRET_WORDS = _words(
    "secret secrets password passwords passwd pwd pass passphrase passphrases passcode token sas credential credentials"
    " cred creds pat webhook webhooks pem dsn salt jwt bearer cookie cookies auth authorization apikey apikeys"
    " connstr"
)
_WEBHOOK_ADDRESS = _words("url urls uri endpoint address")
"""The address of a webhook is its only protection: `SLACK_WEBHOOK_URL`."""
_QUALIFIERS = _words(
    "old new current previous prod production dev development test staging stage value b base raw encoded text"
)
"""Words after the word that decides: `API_KEY_PROD`, `PASSWORD_2`, `CERT_KEY_B64`."""
_HARMLESS_BEFORE = {
    "key": _words(
        "public endpoint partition sort foreign input output image label feature column object cache routing index"
        " lookup unique row"
    ),
    "token": _words("eos bos pad unk sep cls mask stop next max min special image continuation begin end start per"),
    "pass": _words("low high band all single first second one two forward by"),
    "auth": _words("no disable allow require"),
}
"""Words that make the next word harmless: the public key, the end-of-text token of a language model."""
_JOINED = re.compile(
    r"(?i)((api|access|account|primary|secondary|shared|private|secret|signing|encryption|storage|master)_?keys?"
    r"|connection_?strings?|conn_str|.(password|passwd|passphrase|token|secret|credentials|webhook)"
    r"|(db|pg|my|mysql|sql|redis|mongo|smtp|mail|ftp|user|admin|root|login)(pass|pwd))$"
)
"""Words that are written as one: `PGPASSWORD`, `authtoken`, `dbpass`. At least one character comes before."""
_NAMED_BY_SIBLING = ("before", "after", "value")
_SHORTEST = 6
"""Characters; a shorter secret would hide half of every text."""
_SHORT = 1024
"""Characters of a text whose result is kept."""
_PLAIN = frozenset({"true", "false", "none", "null", "yes", "no", "on", "off"})

# Forms. Each `keep` group stays before the hidden part.
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)"
    r"|AGE-SECRET-KEY-1[0-9A-Z]{58}",
    re.DOTALL,
)
_LOGIN = re.compile(r"(?i)(?<=://)[^\s/:@]*:[^\s/@]+(?=@)")
"""User and password in a URL."""
_ISSUED = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"  # AWS
    r"|gh[pousr]_\w{16,}|github_pat_\w{16,}|gl[a-z]{2,6}-[\w-]{20,}|GR1348941[\w-]{20,}"  # GitHub, GitLab
    r"|xox[a-z]-[\w-]{10,}|xapp-\d-[\w-]{10,}"  # Slack
    r"|hf_\w{16,}|api_org_\w{20,}|sk-[\w-]{12,}|[srp]k_(?:live|test|prod)_\w{10,}|gsk_\w{20,}|r8_\w{30,}|xai-\w{20,}"
    r"|AIza[\w-]{35}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}"  # Google
    r"|npm_\w{30,}|pypi-[\w-]{30,}|rubygems_\w{30,}|dckr_[a-z]{3}_[\w-]{20,}|oy2[a-z0-9]{43}\b"
    r"|SG\.[\w-]{16,}\.[\w-]{16,}|sq0[a-z]{3}-[\w-]{20,}|EAAA[\w-]{60}|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"
    r"|key-[0-9a-f]{32}\b|[0-9a-f]{32}-us\d{1,2}\b|(?:SK|AC)[0-9a-f]{32}\b|\d{8,10}:AA[\w-]{33}"
    r"|dapi[0-9a-f]{32}(?:-\d)?|do[a-z]_v1_[0-9a-f]{40,}|hv[sb]\.[\w-]{20,}|\w{14}\.atlasv1\.[\w=-]{40,}"
    r"|gl(?:sa|c)_[\w+/=]{20,}|eyJrIjoi[\w=+/]{60,}|lin_api_\w{30,}|pscale_\w{3,5}_[\w.=-]{30,}|PMAK-[0-9a-f-]{50,}"
    r"|pul-[0-9a-f]{40}|sntry[su]_[\w+=/]{30,}|NRA[KA]-[A-Z0-9]{20,}|NRII-[\w-]{20,}|dt0c01\.[A-Z0-9]{24}\.[A-Z0-9]{64}"
    r"|dp\.pt\.\w{40,}|p8e-\w{32}|LTAI[A-Za-z0-9]{17,21}\b|AKC[a-z0-9]{10,}|AP[\dABCDEF][a-zA-Z0-9]{30,}"
    r"|sq[upa]_[0-9a-f]{40}|secret_[A-Za-z0-9]{43}\b|ntn_\w{40,}|ATATT3[\w=-]{60,}|figd_[\w-]{30,}|ops_eyJ[\w=]{60,}"
    r"|[\w~.]{3}\dQ~[\w~.-]{31,34}"  # a client secret of Entra ID
    r")"
)
"""Tokens with a prefix that their issuer gives them."""
_JWT = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")
_STORAGE_KEY = re.compile(r"(?<![\w+/])[\w+/]{86}==|(?i:\bbasic\s+)[\w+/=]{12,}")
_WEBHOOK = re.compile(
    r"(?i)(?P<keep>://(?:hooks\.slack\.com|(?:[\w-]+\.)*webhook\.office(?:365)?\.com|outlook\.office(?:365)?\.com/webhook"
    r"|(?:canary\.|ptb\.)?discord(?:app)?\.com/api/webhooks|hooks\.zapier\.com|maker\.ifttt\.com|chat\.googleapis\.com"
    r"|(?:[\w-]+\.)*logic\.azure\.com(?::\d+)?)/)(?P<hide>[^\s\"'<>]{6,})"
)
"""The path of a webhook's URL is the secret."""
_ASSIGNED = re.compile(
    r"(?i)(?P<keep>\bbearer\s+|[?&](?:sig|s)=|(?:account|shared)?key\s*[=:]\s*\"?|password\s*[=:]\s*\"?"
    r"|client_secret\s*[=:]\s*\"?|\"(?:primaryKey|secondaryKey|accessToken|access_token|sasToken)\"\s*:\s*\"|\bpwd\s*=\s*)"
    r"(?P<hide>[^\s\"'&,;}]{6,})"
)
_NAMED = re.compile(
    r"(?i)(?P<keep>(?:key|password|passphrase|pwd|secret|token|signature|sas)[\\\"']*\s*[=:]\s*[\\\"']*)"
    r"(?P<hide>[^\s\"'&,;}\\]{16,})"
)
_WHOLE = (_PRIVATE_KEY, _LOGIN, _ISSUED, _STORAGE_KEY, _JWT)
_AFTER = (_WEBHOOK, _NAMED, _ASSIGNED)
_RUN = r"[A-Za-z0-9+=_~-]"
_RANDOM = re.compile(rf"(?={_RUN}*[0-9])(?={_RUN}*[A-Za-z]){_RUN}{{32,}}")
_HARMLESS_VALUE = re.compile(r"|true|false|[0-9.]{1,6}|\$\{\{.*\}\}", re.IGNORECASE | re.DOTALL)


@functools.lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Whether a value with this name is a secret: `API_KEY`, `primaryKey`, `PGPASSWORD`; not `max_tokens`, `PATH`."""
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
    if words[-1:] and words[-1] in _WEBHOOK_ADDRESS and {"webhook", "webhooks"} & set(words):
        return True
    while len(words) > 1 and words[-1] in _QUALIFIERS:
        words.pop()
    if not words:
        return False
    last = words[-1]
    if last == "key" or last in _SECRET_WORDS:
        return not set(words[-2:-1]) & _HARMLESS_BEFORE.get(last, frozenset())
    return bool(_JOINED.search("_".join(words)))


def redact_secrets(value: Json, name: str = "", mark: Callable[[Json], str] = lambda _: "") -> Json:
    """The value with each secret replaced by `(hidden)` and its `mark`; text without a secret does not change.

    In an entry such as {path, before, after} or {name, value}, `path` or `name` decides about the values.
    """
    if _is_hidden(value, name):
        return HIDDEN + mark(value)
    if isinstance(value, Mapping):
        return {key: redact_secrets(item, _name(value, key), mark) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_secrets(item, name, mark) for item in value]
    if not isinstance(value, str):
        return value
    safe = redact_text(value)
    return safe if safe == value else safe + mark(value)


def secrets_in(value: Json, name: str = "", path: str = "") -> Iterator[tuple[str, Json]]:
    """Dotted path and value of everything that `redact_secrets` replaces, in whole or in part."""
    if _is_hidden(value, name) or (isinstance(value, str) and redact_text(value) != value):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from secrets_in(item, _name(value, key), f"{path}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from secrets_in(item, name, f"{path}.{number}".lstrip("."))


def _is_hidden(value: Json, name: str) -> bool:
    if value in (None, "", True, False) or not is_secret(name):
        return False
    return not (isinstance(value, str) and (value.lower() in _PLAIN or _is_reference(value)))


def _name(around: Mapping[str, Json], key: str) -> str:
    """The name that decides whether a value of a mapping is a secret."""
    sibling = _name_at(str(around.get("path") or around.get("name") or ""))
    return sibling if key in _NAMED_BY_SIBLING and sibling else str(key)


def redact_at(path: str, value: Json) -> Json:
    """The value at a dotted path, its secrets replaced."""
    return redact_secrets(value, _name_at(path))


def _name_at(path: str) -> str:
    """The name at the end of a path. Keys of maps can contain dots, so the first end that names a secret wins."""
    names = path.split(".")
    ends = [".".join(names[number:]) for number in range(1, len(names))]
    return next(filter(is_secret, ends), names[-1])


def secret_values(value: Json, name: str = "") -> frozenset[str]:
    """The secrets in a JSON value, so that they can be replaced elsewhere, too: by their name and by their form."""
    if isinstance(value, Mapping):
        return frozenset().union(*(secret_values(item, _name(value, key)) for key, item in value.items()))
    if isinstance(value, list | tuple):
        return frozenset().union(*(secret_values(item, name) for item in value))
    if not isinstance(value, str):
        return frozenset()
    found = {value} if is_secret(name) and not _is_reference(value) else set()
    found |= {match[0] for pattern in _WHOLE for match in pattern.finditer(value)}
    found |= {match["hide"] for pattern in _AFTER for match in pattern.finditer(value)}
    return frozenset(text for text in found if len(text) >= _SHORTEST)


def redact_values(value: Any, secrets: Collection[str]) -> Any:
    """The value (text, bytes, JSON) with each occurrence of these texts replaced."""
    if isinstance(value, str):
        for secret in sorted(secrets, key=len, reverse=True):
            value = value.replace(secret, HIDDEN)
        return value
    if isinstance(value, bytes):
        for secret in sorted(secrets, key=len, reverse=True):
            value = value.replace(secret.encode(), HIDDEN.encode())
        return value
    if isinstance(value, Mapping):
        return {redact_values(key, secrets): redact_values(item, secrets) for key, item in value.items()}
    return [redact_values(item, secrets) for item in value] if isinstance(value, list | tuple) else value


def redact_text(text: str) -> str:
    """The text without the secrets that its form shows; text without such secrets does not change."""
    return _redact_short(text) if len(text) <= _SHORT else _redact(text)


def _redact(text: str) -> str:
    for pattern in _WHOLE:
        text = pattern.sub(HIDDEN, text)
    for pattern in _AFTER:
        text = pattern.sub(_hide_group, text)
    return text


_redact_short = functools.lru_cache(maxsize=4096)(_redact)
"""The same values are in plan, fingerprint, report and each output of them."""


def _hide_group(found: re.Match[str]) -> str:
    return found["keep"] + (found["hide"] if found["hide"].startswith(HIDDEN) else HIDDEN)


def _is_reference(value: Json) -> bool:
    return isinstance(value, str) and value.startswith("${{") and value.endswith("}}")


def looks_secret(name: str, value: str) -> bool:
    """Whether a value may be a secret: by its name, by its form, or because it is long and random.

    `import` writes no such value into a file. A reference such as `${{keyvault:...}}`, a boolean or a small number is
    no secret.
    """
    if _HARMLESS_VALUE.fullmatch(value):
        return False
    return bool(is_secret(name) or redact_text(value) != value or _RANDOM.search(value))
