"""Secrets: found by the name a value carries, or by its looks."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.redact import HIDDEN, is_secret, looks_secret, redact_at, redact_secrets, redact_text, secret_values
from deploy.sanitize import sanitize
from tests.project import ROOT
from tests.unit.reporter import examples as g

JWT = "eyJhbGciOiJSUzI1.eyJzdWIiOiIxMjM0.c2lnbmF0dXJl"


ALNUM, HEX = "q8Zr2Yw7Xv1Ut9Ks4Jp6Hn3Gm5Fd0Bc", "9f3a71c05e8b42d6"


def run(length: int, of: str = ALNUM) -> str:
    """A text as random as a token; no real token is in this file."""
    return (of * (length // len(of) + 1))[:length]


SECRET_NAMES = """
API_KEY apiKey primaryKey apikey storage-key DB_PASSWORD client_secret HF_TOKEN sas sasToken connectionString
credentials AZURE_STORAGE_CONNECTION_STRING SSH_PRIVATE_KEY PAT GITHUB_PAT PWD DB_PWD PASS DB_PASS PASSPHRASE
SSH_PASSPHRASE WEBHOOK SLACK_WEBHOOK SLACK_WEBHOOK_URL teamsWebhookUri PEM TLS_PEM DSN SENTRY_DSN SALT PASSWORD_SALT
JWT AUTH_JWT BEARER COOKIE SESSION_COOKIE AUTH BASIC_AUTH KEY KEY1 Key PGPASSWORD AUTHTOKEN CLIENTSECRET MYSQLPWD
dbpass authToken PASSWORD2 API_KEY_PROD TOKEN_OLD PRIVATE_KEY_B64 secretKey SECRET AWS_SECRET_ACCESS_KEY
GOOGLE_API_KEY twilioAuthToken npm.auth-token X-API-Key Authorization accessToken refresh_token signing-key
ENCRYPTION_KEY MASTER_KEY CONN_STR passwd creds
""".split()  # noqa: SIM905 - a table of words
HARMLESS_NAMES = """
REGION KEYBOARD MONKEY PATH PYTHONPATH PATTERN PATCH PATIENT COMPASS BYPASS PASSENGER PASSAGE auth_mode AUTHOR
AUTHORITY AUTH_URL max_tokens MAX_NEW_TOKENS endpoint_key keyvault KEY_VAULT_NAME KEYWORDS TURKEY HOCKEY token_count
TOKENIZER TOKENIZER_PATH TOKEN_LIMIT TOKEN_URL EOS_TOKEN pad_token PUBLIC_KEY partition_key SORT_KEY SECRETARY
SECRET_NAME SECRET_VERSION PASSWORD_FILE PASSWORD_LENGTH CREDENTIAL_TYPE LOW_PASS BAND_PASS BASALT SALTY ASPHALT
DESALTER PEMBROKE tags why name version DSNY COOKIE_NAME COOKIE_DOMAIN WEBHOOK_ENABLED JWT_ISSUER JWT_AUDIENCE BEARERS
SASSY SASKATOON KEYS_FILE kid PATIENTS EMPATHY SPAT HASH SHA DIGEST model_name STORAGE_ACCOUNT ACCOUNT_NAME
CONNECTION_TIMEOUT
""".split()  # noqa: SIM905 - a table of words


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_values_with_the_name_of_a_secret_are_hidden(name: str) -> None:
    """What is called a key, a token, a password or a credential is a secret."""
    assert is_secret(name)
    assert redact_secrets({name: "v"}) == {name: HIDDEN}


@pytest.mark.parametrize("name", [*HARMLESS_NAMES, ""])
def test_values_with_other_names_are_shown(name: str) -> None:
    """Words that only resemble those of secrets are none, and neither are names of what is beside a secret."""
    assert not is_secret(name)


ISSUED = {
    "aws-access-key-id": "AKIA" + run(16, "Q7ZR2YW8XV1UT9KS"),
    "aws-temporary-key-id": "ASIA" + run(16, "Q7ZR2YW8XV1UT9KS"),
    "azure-client-secret": run(3) + "8Q~" + run(34),
    "azure-storage-key": run(86) + "==",
    "azure-sas": f"https://a.blob.core.windows.net/c?sv=2024-11-04&sig={run(43)}%3D",
    "databricks": "dapi" + run(32, HEX),
    "digitalocean": "dop_v1_" + run(64, HEX),
    "discord-webhook": "https://discord.com/api/webhooks/" + run(18, "1234567890") + "/" + run(68),
    "docker": "dckr_pat_" + run(27),
    "doppler": "dp.pt." + run(43),
    "dynatrace": "dt0c01." + run(24, "Q7ZR2YW8") + "." + run(64, "Q7ZR2YW8"),
    "figma": "figd_" + run(40),
    "gcp-api-key": "AIza" + run(35),
    "gcp-oauth": "ya29." + run(60),
    "github-app": "ghs_" + run(36),
    "github-fine-grained": "github_pat_" + run(82),
    "github-oauth": "gho_" + run(36),
    "github-pat": "ghp_" + run(36),
    "gitlab-pat": "glpat-" + run(20),
    "gitlab-runner": "glrt-" + run(20),
    "grafana-service-account": "glsa_" + run(32) + "_" + run(8, HEX),
    "groq": "gsk_" + run(52),
    "hashicorp-vault": "hvs." + run(90),
    "huggingface": "hf_" + run(34),
    "jwt": "eyJ" + run(20) + "." + run(40) + "." + run(43),
    "linear": "lin_api_" + run(40),
    "mailchimp": run(32, HEX) + "-us12",
    "mailgun": "key-" + run(32, HEX),
    "new-relic": "NRAK-" + run(27, "Q7ZR2YW8X"),
    "notion": "secret_" + run(43),
    "npm": "npm_" + run(36),
    "openai": "sk-proj-" + run(48),
    "anthropic": "sk-ant-api03-" + run(93),
    "planetscale": "pscale_tkn_" + run(43),
    "postman": "PMAK-" + run(24, HEX) + "-" + run(34, HEX),
    "pulumi": "pul-" + run(40, HEX),
    "pypi": "pypi-AgEIcHlwaS5vcmc" + run(60),
    "replicate": "r8_" + run(37),
    "rubygems": "rubygems_" + run(48, HEX),
    "sendgrid": "SG." + run(22) + "." + run(43),
    "sentry": "sntrys_" + run(60),
    "shopify": "shpat_" + run(32, HEX),
    "slack-app": "xapp-1-" + run(11) + "-" + run(13, "1234567890"),
    "slack-bot": "xoxb-" + run(12, "1234567890") + "-" + run(24),
    "slack-webhook": "https://hooks.slack.com/services/T" + run(8) + "/B" + run(8) + "/" + run(24),
    "sonar": "squ_" + run(40, HEX),
    "square": "sq0atp-" + run(22),
    "stripe": "sk_live_" + run(24),
    "stripe-restricted": "rk_live_" + run(24),
    "teams-webhook": "https://contoso.webhook.office.com/webhookb2/" + run(36) + "/IncomingWebhook/" + run(32),
    "teams-workflow": "https://prod-1.eastus.logic.azure.com:443/workflows/" + run(32) + "/triggers/manual",
    "telegram": run(9, "1234567890") + ":AA" + run(33),
    "terraform-cloud": run(14) + ".atlasv1." + run(67),
    "twilio": "SK" + run(32, HEX),
    "url-with-password": f"postgresql://someone:{run(12)}@db.example.com:5432/app",
    "url-with-token": f"https://:{run(20)}@example.com/x.git",
    "basic-authorization": "Authorization: Basic " + run(24),
    "connection-string": f"Server=tcp:x.database.windows.net;User ID=a;Password={run(16)};Encrypt=True",
    "service-bus": f"Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=a;SharedAccessKey={run(43)}=",
    "private-key": f"-----BEGIN RSA PRIVATE KEY-----\n{run(64)}\n{run(64)}\n-----END RSA PRIVATE KEY-----",
    "private-key-cut-off": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{run(64)}\n{run(64)}",
    "pgp-private-key": f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n{run(64)}\n-----END PGP PRIVATE KEY BLOCK-----",
    "age-secret-key": "AGE-SECRET-KEY-1" + run(58, "Q7ZR2YW8X"),
}
"""The kinds of secrets that gitleaks and detect-secrets look for, each in the form that its issuer documents."""
HARMLESS_VALUES = [
    "sha256:" + run(64, HEX),
    run(64, HEX),
    run(40, HEX),
    "9f3a71c0-5e8b-42d6-9f3a-71c05e8b42d6",
    "/subscriptions/9f3a71c0-5e8b-42d6-9f3a-71c05e8b42d6/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv",
    "azureml://registries/azureml/models/MedImageParse/versions/17",
    "azureml:token-model:3",
    "https://mip-ab.eastus.inference.ml.azure.com/score",
    "https://github.com/octo-org/octo-repo/actions/runs/123456789",
    "https://login.microsoftonline.com/common/oauth2/v2.0/token",
    "https://hooks.slack.com/",
    "mcr.microsoft.com/azureml/minimal-ubuntu22.04-py310-cpu-inference:20260101.v1",
    "Standard_NC24ads_A100_v4",
    "2026-03-03T20:17:59.3439606+00:00",
    "/var/azureml-app/model/keys.json",
    "C:\\Users\\me\\token.txt",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI me@host",
    "The access token expiry UTC time is in the past.",
    "Read the key: it is not there",
    "skip-connection",
    "sk-learn",
    "ghp",
    "hf_model",
    "task-sklearn-classifier",
    "python score.py --tokens 512 --pass 2",
    "key vault, key: value",
    "xoxb",
    "npm_config_cache",
    "pypi-mirror",
    "AKIA is the prefix of an AWS key",
    "someone@example.com",
    "https://example.com:8080/path?page=2",
    "liver & kidney",
    "glpat",
    "${{azureml://connections/c/credentials/key}}",
    "eastus",
    "true",
    "",
]


@pytest.mark.parametrize("kind", ISSUED)
def test_texts_with_the_form_of_a_secret_are_hidden(kind: str) -> None:
    """Alone, in a sentence, in JSON and as the value of a harmless name."""
    secret = ISSUED[kind]
    for text in (secret, f"tried {secret} in vain", f"VALUE='{secret}'", f'{{"x": "{secret}"}}'):
        hidden = redact_text(text)
        assert HIDDEN in hidden
        assert not any(part in hidden for part in (run(20), run(16, HEX), run(12), run(16, "Q7ZR2YW8XV1UT9KS")))
        assert redact_text(hidden) == hidden
    assert HIDDEN in redact_secrets({"region": secret})["region"]
    assert looks_secret("region", secret)


@pytest.mark.parametrize("text", HARMLESS_VALUES)
def test_texts_without_a_secret_are_shown(text: str) -> None:
    """Digests, GUIDs, ARM ids, addresses, sentences about secrets."""
    assert redact_text(text) == text
    assert redact_secrets({"region": text}) == {"region": text}


def test_secrets_are_redacted_everywhere():
    """By its own name, by the name beside it in a list, deep inside, or by its looks alone."""
    value = {
        "a": [{"name": "API_KEY", "value": "x1"}, {"path": "variables.DB_PASSWORD", "before": "x2", "after": "x3"}],
        "credentials": {"user": "x4"},
        "note": f"Bearer {JWT}",
    }
    shown = str(redact_secrets(value))
    assert not any(f"'x{n}'" in shown for n in range(1, 5))
    assert JWT not in shown
    assert shown.count(HIDDEN) == 5


def test_secret_values_are_found_by_name_and_by_form() -> None:
    """GitHub masks them, and they are replaced wherever Azure or a model repeats them."""
    body = {"DB_PASSWORD": "swordfish", "DATA": ISSUED["azure-sas"], "REGION": "eastus", "TOKEN": "abc"}
    assert secret_values(body) == {"swordfish", run(43) + "%3D"}


def test_references_and_nothing_are_shown():
    """A reference to a secret is none, and an empty value hides nothing."""
    value = {"API_KEY": "${{azureml://connections/c/credentials/key}}", "TOKEN": None, "PASSWORD": ""}
    assert redact_secrets(value) == value


@g.few
@given(g.BODIES)
def test_hiding_twice_is_hiding_once(body):
    """What was hidden stays as it is."""
    assert redact_secrets(redact_secrets(body)) == redact_secrets(body)


def test_our_own_texts_are_not_redacted():
    """The texts of amldeploy itself pass the redaction unchanged."""
    code = (
        "redact",
        "sanitize",
        "call_code",
        "starter",
    )  # patterns, and code for other programs, which is not redacted
    modules = [path for path in (ROOT / "deploy").rglob("*.py") if path.stem not in code]
    ours = [path for path in modules if "emulator" not in path.parts]
    said = {
        (path.name, node.value)
        for path in ours
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    table = (ROOT / "deploy" / "error_codes.yml").read_text(encoding="utf-8").splitlines()
    said |= {("error_codes.yml", line) for line in table}
    assert [(file, words) for file, words in sorted(said) if HIDDEN in sanitize(words)] == []


@given(
    st.text("kKeyt.on_-1*", min_size=1, max_size=8) | st.sampled_from(["token.1", "my.token", "token.", "API_KEY.x"])
)
def test_a_key_with_dots_is_judged_as_it_is_where_it_stands(name: str) -> None:
    """A secret that a document hides by its name is hidden in a list of changes, too."""
    if redact_secrets({name: "value-of-it"}) == {name: HIDDEN}:
        assert redact_at(f"tags.{name}", "value-of-it") == HIDDEN
        assert redact_secrets([{"path": f"tags.{name}", "before": "value-of-it"}])[0]["before"] == HIDDEN
