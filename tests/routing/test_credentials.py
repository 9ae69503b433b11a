import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from routing.credentials import (
    CredentialUnusable,
    EnvironmentMissing,
    ReferenceRefused,
    SealBroken,
    check_reference,
    decrypt,
    encrypt,
    resolve,
    shown_form,
    stored_form,
)  # fmt: skip
from routing.models import Credential, Origin

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
    assert resolve(credential("env:ANTHROPIC_API_KEY"), {"ANTHROPIC_API_KEY": SECRET}) == SECRET


def test_missing_environment_is_named() -> None:
    with pytest.raises(EnvironmentMissing, match="ANTHROPIC_API_KEY"):
        resolve(credential("env:ANTHROPIC_API_KEY"), {})


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "MY_OTHER_API_KEY", "AWS_BEARER_TOKEN_BEDROCK", "GOOGLE_X", "AZURE_Y"])
def test_names_of_provider_keys_are_open(name: str) -> None:
    check_reference(name, origin=Origin.PAGE)


@pytest.mark.parametrize("name", ["PATH", "HOME", "SSH_AUTH_SOCK", "X; rm", "", "A=B", "DJANGO_SECRET"])
def test_other_names_are_closed_to_pages(name: str) -> None:
    with pytest.raises(ReferenceRefused):
        check_reference(name, origin=Origin.PAGE)


@pytest.mark.parametrize(
    "name", ["TALLYGATE_MASTER_KEY", "tallygate_secret_keys", "TALLYGATE_API_KEY", "LITELLM_MASTER_KEY", "DATABASE_URL", "REDIS_URL"]
)
@pytest.mark.parametrize("origin", [Origin.PAGE, Origin.FILE])
def test_our_own_names_are_closed_to_everybody(name: str, origin: str, settings: Settings) -> None:
    settings.TALLYGATE_ENV_ALLOW = [name]
    with pytest.raises(ReferenceRefused):
        check_reference(name, origin=origin)


def test_operator_opens_a_name(settings: Settings) -> None:
    settings.TALLYGATE_ENV_ALLOW = ["CORP_TOKEN"]
    check_reference("CORP_TOKEN", origin=Origin.PAGE)


def test_file_may_name_what_it_likes() -> None:
    assert resolve(credential("env:CORP_TOKEN", Origin.FILE), {"CORP_TOKEN": SECRET}) == SECRET


def test_pasted_sealed_text_is_sealed_again() -> None:
    foreign = encrypt(SECRET, "row-1")
    assert decrypt(stored_form(foreign, "row-2", origin=Origin.PAGE), "row-2") == foreign


def test_page_shows_the_reference_but_never_a_secret() -> None:
    assert shown_form("env:ANTHROPIC_API_KEY") == "env:ANTHROPIC_API_KEY"
    assert shown_form(encrypt(SECRET, "row")) == "set"
    assert shown_form("") == "not set"
