import json
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from routing.credentials import (
    CredentialUnusable,
    ReferenceRefused,
    SealBroken,
    decrypt,
    encrypt,
    is_newest,
    resealed,
    resolve,
    resolve_fields,
    shown_form,
    stored_form,
)  # fmt: skip
from routing.models import Credential, Origin
from routing.references import SecretMissing
from routing.secret_sources import SecretSources

SECRET = "sk-ant-canary-42"


def credential(secret: str, origin: str = Origin.PAGE) -> Credential:
    return Credential(name="main", provider="anthropic", secret=secret, origin=origin)


def test_sealed_secret_opens_for_its_row() -> None:
    row = credential("")
    row.secret = encrypt(SECRET, row.pk)
    assert SECRET not in row.secret
    assert resolve(row) == SECRET


def test_secret_moved_to_another_row_does_not_open() -> None:
    with pytest.raises(SealBroken, match="another credential"):
        decrypt(encrypt(SECRET, "row-1"), "row-2")


def test_new_key_encrypts_and_old_key_still_opens(settings: Settings) -> None:
    sealed = encrypt(SECRET, "row")
    settings.TALLYGATE_SECRET_KEYS = [Fernet.generate_key().decode(), *settings.TALLYGATE_SECRET_KEYS]
    assert decrypt(sealed, "row") == SECRET
    assert Fernet(settings.TALLYGATE_SECRET_KEYS[0]).decrypt(encrypt(SECRET, "row").removeprefix("fernet:"))


def test_lost_key_is_a_clear_error_without_the_secret(settings: Settings) -> None:
    sealed = encrypt(SECRET, "row")
    settings.TALLYGATE_SECRET_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(SealBroken, match="TALLYGATE_SECRET_KEYS") as caught:
        decrypt(sealed, "row")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("stored", ["", SECRET, "plain text"])
def test_nothing_but_sealed_text_and_references_is_used(stored: str) -> None:
    with pytest.raises(CredentialUnusable) as caught:
        resolve(credential(stored))
    assert SECRET not in str(caught.value)


def test_reference_is_read_from_the_environment() -> None:
    assert resolve(credential("env:ANTHROPIC_API_KEY"), SecretSources({"ANTHROPIC_API_KEY": SECRET})) == SECRET


def test_missing_environment_is_named() -> None:
    with pytest.raises(SecretMissing, match="ANTHROPIC_API_KEY"):
        resolve(credential("env:ANTHROPIC_API_KEY"), SecretSources({}))


@pytest.mark.parametrize(
    "secret", ["env:PATH", "env:TALLYGATE_MASTER_KEY", "env:", "file:../x", "file:key", "vault:a/b", "aws-sm:x", "vault:x"]
)
def test_reference_that_pages_may_not_make_is_refused_when_kept_and_when_used(secret: str) -> None:
    with pytest.raises(ReferenceRefused):
        stored_form(secret, "row", origin=Origin.PAGE)
    with pytest.raises(ReferenceRefused):
        resolve(credential(secret), SecretSources({"PATH": SECRET}))


@pytest.mark.parametrize("secret", ["env:PATH", "env:TALLYGATE_MASTER_KEY", "file:/etc/passwd", "vault:a/b"])
def test_fields_refer_to_nothing_that_pages_may_not_name(secret: str) -> None:
    typed = json.dumps({"api_key": secret})
    with pytest.raises(ReferenceRefused):
        stored_form(typed, "row", origin=Origin.PAGE)
    row = credential("")
    row.secret = encrypt(typed, row.pk)
    with pytest.raises(ReferenceRefused):
        resolve_fields(row, SecretSources({"PATH": SECRET}))


def test_operator_opens_names_folders_and_stores(settings: Settings, tmp_path: Path) -> None:
    settings.TALLYGATE_ENV_ALLOW, settings.TALLYGATE_SECRETS_ALLOW = ["CORP_TOKEN"], ["vault:llm/*"]
    settings.TALLYGATE_SECRETS_DIR = tmp_path
    for typed in ("env:CORP_TOKEN", "file:key", "vault:llm/anthropic#key"):
        assert stored_form(f" {typed}\n", "row", origin=Origin.PAGE) == typed


def test_file_may_name_what_it_likes() -> None:
    assert resolve(credential("env:CORP_TOKEN", Origin.FILE), SecretSources({"CORP_TOKEN": SECRET})) == SECRET


@pytest.mark.parametrize("origin", [Origin.PAGE, Origin.FILE])
def test_our_own_secrets_are_used_by_nobody_however_they_are_named(settings: Settings, origin: str) -> None:
    for own in (settings.TALLYGATE_MASTER_KEY, settings.SECRET_KEY, settings.TALLYGATE_SECRET_KEYS[0]):
        with pytest.raises(CredentialUnusable, match="Tallygate's own") as caught:
            resolve(credential("env:OTHER_API_KEY", origin), SecretSources({"OTHER_API_KEY": own}))
        assert own not in str(caught.value)


def test_secret_of_several_fields_is_sealed_and_its_references_followed() -> None:
    row = credential("")
    row.secret = stored_form('{"aws_access_key_id": "env:AWS_ACCESS_KEY_ID", "aws_secret_access_key": "x"}', row.pk, origin=Origin.PAGE)
    assert row.secret.startswith("fernet:")
    fields = resolve_fields(row, SecretSources({"AWS_ACCESS_KEY_ID": "AKIA1"}))
    assert fields == {"aws_access_key_id": "AKIA1", "aws_secret_access_key": "x"}


def test_what_lies_elsewhere_is_no_reference() -> None:
    kept = '{"api_key": "env:GOOGLE_OTHER"}'
    assert resolve(credential("env:A_API_KEY"), SecretSources({"A_API_KEY": kept, "GOOGLE_OTHER": SECRET})) == "env:GOOGLE_OTHER"


def test_no_secret_means_the_default_chain() -> None:
    assert resolve_fields(credential("")) == {}


def test_key_file_of_googles_comes_whole() -> None:
    key_file = json.dumps({"type": "service_account", "private_key": "p"})
    row = credential("")
    row.secret = stored_form(key_file, row.pk, origin=Origin.PAGE)
    assert resolve_fields(row) == {"google_json": key_file}


@pytest.mark.parametrize("typed", ['{"type": "external_account"}', '{"google_json": {"type": "external_account"}}', '{"cut": "canary'])
def test_key_file_that_cannot_be_used_is_refused_when_typed(typed: str) -> None:
    with pytest.raises(ReferenceRefused) as caught:
        stored_form(typed, "row", origin=Origin.PAGE)
    assert "canary" not in str(caught.value)


def test_key_file_behind_a_reference_of_a_page_is_looked_at_too() -> None:
    sources = SecretSources({"GOOGLE_KEY": '{"type": "external_account"}'})
    with pytest.raises(CredentialUnusable, match="service account"):
        resolve_fields(credential("env:GOOGLE_KEY"), sources)
    assert "google_json" in resolve_fields(credential("env:GOOGLE_KEY", Origin.FILE), sources)


def test_sealing_again_takes_the_newest_key(settings: Settings) -> None:
    sealed = encrypt(SECRET, "row")
    settings.TALLYGATE_SECRET_KEYS = [Fernet.generate_key().decode(), *settings.TALLYGATE_SECRET_KEYS]
    again = resealed(sealed, "row")
    assert (is_newest(sealed), is_newest(again)) == (False, True)
    settings.TALLYGATE_SECRET_KEYS = settings.TALLYGATE_SECRET_KEYS[:1]
    assert decrypt(again, "row") == SECRET


def test_pasted_sealed_text_is_sealed_again() -> None:
    foreign = encrypt(SECRET, "row-1")
    assert decrypt(stored_form(foreign, "row-2", origin=Origin.PAGE), "row-2") == foreign


@pytest.mark.parametrize("stored", ["env:ANTHROPIC_API_KEY", "file:llm/key", "aws-sm:llm#a?region=eu-west-1", "vault:a/b#c"])
def test_page_shows_the_reference(stored: str) -> None:
    assert shown_form(stored) == stored


@pytest.mark.parametrize("stored", ["fernet:abc", SECRET, f"env:{SECRET}", "vault:"])
def test_page_never_shows_a_secret(stored: str) -> None:
    assert shown_form(stored) == "set"
    assert shown_form("") == "not set"
