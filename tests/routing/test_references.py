"""What a reference looks like, and who may name what."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from routing.references import CredentialUnusable, Reference, ReferenceRefused, Rules, check, fields_of, google_problem, parse, picked

PAGE = Rules(folder=Path("/run/secrets"), home=Path("/srv/home"))
FILE = replace(PAGE, is_operators=True)
SERVICE_ACCOUNT = {"type": "service_account", "private_key": "-----BEGIN canary", "client_email": "a@b"}


def refused(text: str, rules: Rules) -> str:
    with pytest.raises(ReferenceRefused) as caught:
        check(parse(text) or Reference("", ""), rules)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("env:ANTHROPIC_API_KEY", Reference("env", "ANTHROPIC_API_KEY")),
        ("file:anthropic.key", Reference("file", "anthropic.key")),
        ("file:/run/secrets/llm/key", Reference("file", "/run/secrets/llm/key")),
        ("file:/Users/Jörg K/.config/key.json", Reference("file", "/Users/Jörg K/.config/key.json")),
        ("aws-sm:prod/llm-keys#anthropic", Reference("aws-sm", "prod/llm-keys", "anthropic")),
        ("aws-sm:prod/llm?region=eu-west-1", Reference("aws-sm", "prod/llm", region="eu-west-1")),
        ("aws-sm:prod/llm#key?region=us-gov-west-1", Reference("aws-sm", "prod/llm", "key", "us-gov-west-1")),
        ("aws-sm:arn:aws:secretsmanager:eu-west-1:123456789012:secret:llm-AbCdEf#k",
         Reference("aws-sm", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:llm-AbCdEf", "k")),
        ("vault:secret/llm/anthropic#api_key", Reference("vault", "secret/llm/anthropic", "api_key")),
        ("vault:secret/llm", Reference("vault", "secret/llm")),
    ],
)  # fmt: skip
def test_reference_is_understood_and_written_as_it_was(text: str, reference: Reference) -> None:
    assert parse(text) == reference
    assert str(reference) == text


@pytest.mark.parametrize("text", ["sk-ant-canary", "https://a", '{"a": "env:B"}', "ENV:X", "fernet:abc", "secret:x", "envX", ""])
def test_ordinary_text_is_no_reference(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    "text",
    ["env:", "env:A=B", "env:X; rm", "env:canary key", "file:", "file:../canary", "file:a/../canary", "file:a//b",
     "file:a\nb", "file:/etc/../canary", "file:a/..", "file:/", "file:a\x00b", "aws-sm:", "aws-sm:a b", "aws-sm:a#", "aws-sm:a?region=here",
     "aws-sm:a?region=eu-west-1#canary",
     "vault:", "vault:secret", "vault:secret/", "vault:secret/../sys/canary", "vault:/secret/x", "vault:secret//x",
     "vault:secret/x?list=1"],
)  # fmt: skip
def test_malformed_reference_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ReferenceRefused, match="Write ") as caught:
        parse(text)
    assert "canary" not in str(caught.value)


def referred(text: str) -> Reference:
    """What a text that is a reference refers to. `check` raises for one that is closed."""
    found = parse(text)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "MY_OTHER_API_KEY", "AWS_BEARER_TOKEN_BEDROCK", "GOOGLE_X", "AZURE_Y"])
def test_names_of_provider_keys_are_open(name: str) -> None:
    check(Reference("env", name), PAGE)


@pytest.mark.parametrize("name", ["PATH", "HOME", "SSH_AUTH_SOCK", "DJANGO_SECRET", "VAULT_TOKEN"])
def test_other_names_are_closed_to_pages_only(name: str) -> None:
    assert "TALLYGATE_ENV_ALLOW" in refused(f"env:{name}", PAGE)
    check(Reference("env", name), FILE)
    check(Reference("env", name), replace(PAGE, environment=(name,)))


@pytest.mark.parametrize(
    "name", ["TALLYGATE_MASTER_KEY", "tallygate_secret_keys", "TALLYGATE_API_KEY", "LITELLM_MASTER_KEY", "DATABASE_URL", "REDIS_URL"]
)
@pytest.mark.parametrize("rules", [PAGE, FILE])
def test_our_own_names_are_closed_to_everybody(name: str, rules: Rules) -> None:
    assert "own" in refused(f"env:{name}", replace(rules, environment=(name,)))


@pytest.mark.parametrize("name", ["anthropic.key", "llm/anthropic", "/run/secrets/anthropic"])
def test_files_of_the_folder_are_open(name: str) -> None:
    check(Reference("file", name), PAGE)


@pytest.mark.parametrize("name", ["/etc/shadow", "/run/secretsx/a", "/run/key"])
def test_files_elsewhere_are_closed_to_pages_only(name: str) -> None:
    assert "TALLYGATE_SECRETS_DIR" in refused(f"file:{name}", PAGE)
    check(Reference("file", name), FILE)


def test_without_a_folder_no_page_names_a_file() -> None:
    nowhere = replace(PAGE, folder=None)
    assert "TALLYGATE_SECRETS_DIR" in refused("file:key", nowhere)
    assert "TALLYGATE_SECRETS_DIR" in refused("file:/run/secrets/key", nowhere)


def test_our_own_files_are_closed_to_everybody_but_for_the_folder_of_secrets() -> None:
    assert "own" in refused("file:/srv/home/secrets.env", FILE)
    check(Reference("file", "/srv/home/keys/a"), replace(FILE, folder=Path("/srv/home/keys")))


@pytest.mark.parametrize("text", ["aws-sm:prod/llm#a", "vault:secret/llm/anthropic#k"])
def test_stores_are_closed_to_pages_until_the_operator_opens_them(text: str) -> None:
    assert "TALLYGATE_SECRETS_ALLOW" in refused(text, PAGE)
    check(referred(text), FILE)
    check(referred(text), replace(PAGE, stores=("aws-sm:prod/llm", "vault:secret/llm/*")))
    assert refused(text, replace(PAGE, stores=("aws-sm:prod/ll", "aws-sm:*x", "vault:secret/other/*", "vault:secret/llm")))


def test_settings_of_the_gateway_itself_may_name_anything() -> None:
    for text in ("env:TALLYGATE_OLD", "file:/srv/home/master", "vault:a/b", "env:PATH"):
        check(referred(text), Rules(is_ours=True, home=Path("/srv/home")))


def test_field_of_a_json_secret_is_picked() -> None:
    text = json.dumps({"key": "one", "nested": {"a": 1}})
    assert picked(text, Reference("vault", "a/b", "key")) == "one"
    assert picked(text, Reference("vault", "a/b", "nested")) == '{"a": 1}'
    assert picked(text, Reference("vault", "a/b")) == text


@pytest.mark.parametrize("text", ['{"other": "canary"}', '["canary"]', "canary", '{"key": ""}', "[" * 100_000])
def test_field_that_is_not_there_is_told_without_the_secret(text: str) -> None:
    with pytest.raises(CredentialUnusable, match="vault:a/b#key") as caught:
        picked(text, Reference("vault", "a/b", "key"))
    assert "canary" not in str(caught.value)


def test_plain_key_is_the_api_key() -> None:
    assert fields_of(" sk-ant-1\n") == {"api_key": "sk-ant-1"}


def test_fields_of_json_are_followed_each() -> None:
    text = json.dumps({"aws_access_key_id": "env:ID", "aws_secret_access_key": "x", "n": 3, "none": None, "list": ["env:ID"]})
    followed = {"env:ID": "AKIA"}
    assert fields_of(text, lambda value: followed.get(value, value)) == {
        "aws_access_key_id": "AKIA", "aws_secret_access_key": "x", "n": "3", "list": '["env:ID"]',
    }  # fmt: skip


def test_key_file_of_googles_stays_whole() -> None:
    text = json.dumps(SERVICE_ACCOUNT)
    assert fields_of(text, lambda value: "changed") == {"google_json": text}


def test_broken_json_is_told_without_the_secret() -> None:
    with pytest.raises(CredentialUnusable, match="whole") as caught:
        fields_of('{"private_key": "canary')
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [{"type": "external_account", "credential_source": {"executable": {"command": "/bin/sh"}}},
     SERVICE_ACCOUNT | {"token_uri": "http://10.0.0.1/token"}, SERVICE_ACCOUNT | {"token_uri": None}],
)  # fmt: skip
def test_key_files_that_lead_elsewhere_are_not_for_pages(data: dict[str, object]) -> None:
    assert google_problem(json.dumps(data))


@pytest.mark.parametrize("text", ["sk-ant", json.dumps(SERVICE_ACCOUNT), '{"type": "other"}'])
def test_ordinary_secrets_have_no_problem(text: str) -> None:
    assert google_problem(text) == ""
