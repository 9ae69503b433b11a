"""Settings of signed tokens, from the environment and under LiteLLM's names, and what the doctor says of them."""

from pathlib import Path

import pytest

from gateway_project import diagnosis, env
from gateway_project.config_file import load_config
from gateway_project.env import WrongSetting
from gateway_project.jwt_settings import FileTokens, TokenSettings, token_settings
from gateway_project.signed_tokens import signed_tokens
from keys.jwt_claims import ClaimNames
from keys.jwt_verify import of_pem, of_secret
from tests.keys.signed import SECRET, pem, rsa_key

URL = "https://idp.example/keys"
NOTHING = FileTokens()


@pytest.fixture(autouse=True)
def readings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read here is no setting of the suite's own."""
    monkeypatch.setattr(env, "READINGS", dict(env.READINGS))


def said(tmp_path: Path, text: str) -> FileTokens:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return load_config(path).tokens


def test_nothing_set_takes_no_token() -> None:
    assert token_settings(NOTHING) == TokenSettings()
    assert signed_tokens(TokenSettings(), (), 100) is None


def test_environment_says_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "SECRET": SECRET, "ISSUER": "a, b", "AUDIENCE": "c", "DEFAULT_TEAM": "Blue", "MAKES_PEOPLE": "no",
        "USER_CLAIM": "preferred_username", "ROLE_CLAIM": "roles",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"TALLYGATE_JWT_{name}", value)
    found = token_settings(NOTHING)
    assert (found.is_on, found.has_secret, found.trust.issuers, found.trust.audiences) == (True, True, ("a", "b"), ("c",))
    assert (found.default_team, found.makes_people) == ("Blue", False)
    assert (found.names.user, found.names.role, found.names.team) == (("preferred_username",), ("roles",), ("team",))
    assert SECRET not in repr(found)


def test_public_key_is_given_itself_or_as_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text, path = pem(rsa_key()), tmp_path / "key.pem"
    path.write_text(text)
    for given in (text, text.replace("\n", "\\n"), str(path)):
        monkeypatch.setenv("TALLYGATE_JWT_PUBLIC_KEY", given)
        found = token_settings(NOTHING).key
        assert found is not None and found.algorithms == of_pem(text).algorithms


@pytest.mark.parametrize(("values", "wrong"), [
    ({"SECRET": "short"}, "TALLYGATE_JWT_SECRET"), ({"SECRET": SECRET, "JWKS_URL": URL}, "TALLYGATE_JWT_JWKS_URL"),
    ({"PUBLIC_KEY": "/nowhere/key.pem"}, "TALLYGATE_JWT_PUBLIC_KEY"), ({"PUBLIC_KEY": "-----BEGIN nothing"}, "TALLYGATE_JWT_PUBLIC_KEY"),
    ({"MAKES_PEOPLE": "perhaps"}, "TALLYGATE_JWT_MAKES_PEOPLE"),
])  # fmt: skip
def test_setting_that_cannot_be_used_stops_the_start(values: dict[str, str], wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """R105: without repeating a secret."""
    for name, value in values.items():
        monkeypatch.setenv(f"TALLYGATE_JWT_{name}", value)
    with pytest.raises(WrongSetting, match=wrong) as caught:
        token_settings(NOTHING)
    assert SECRET not in str(caught.value) and "short" not in str(caught.value)


LITELLM = """
general_settings:
  enable_jwt_auth: true
  litellm_jwtauth:
    user_id_jwt_field: sub
    user_email_jwt_field: mail
    team_id_jwt_field: client.team
    team_ids_jwt_field: groups
    admin_jwt_scope: gateway_admin
    team_id_default: blue
    user_id_upsert: false
    user_allowed_email_domain: example.com
    public_key_ttl: 60
    enforce_rbac: true
"""


def test_litellms_names_say_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_PUBLIC_KEY_URL", f"{URL},{URL}2")
    monkeypatch.setenv("JWT_AUDIENCE", "gateway")
    found = token_settings(said(tmp_path, LITELLM))
    assert (found.urls, found.trust.audiences, found.ttl_s) == ((URL, f"{URL}2"), ("gateway",), 60)
    assert found.names == ClaimNames(("sub",), ("mail",), ("client.team", "groups"), admin_scope="gateway_admin")
    assert (found.default_team, found.email_domain, found.makes_people) == ("blue", "example.com", False)
    assert load_config(tmp_path / "config.yaml").not_honoured == ("general_settings.litellm_jwtauth.enforce_rbac",)


def test_litellms_environment_acts_only_where_its_file_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_PUBLIC_KEY_URL", URL)
    assert not token_settings(NOTHING).is_on
    assert not token_settings(said(tmp_path, "general_settings: {enable_jwt_auth: false}")).is_on


def test_tokens_without_a_key_to_check_them_stop_the_start(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match="enable_jwt_auth"):
        token_settings(said(tmp_path, "general_settings: {enable_jwt_auth: true}"))


@pytest.mark.parametrize(("found", "word"), [
    (TokenSettings(of_secret(SECRET)), "anybody"), (TokenSettings(urls=(URL,)), "aud"),
    (TokenSettings(urls=("http://idp.example",)), "https"),
])  # fmt: skip
def test_doctor_says_what_a_set_up_lets_happen(found: TokenSettings, word: str) -> None:
    assert any(word in line.text for line in diagnosis.signed_tokens(found))
    assert list(diagnosis.signed_tokens(TokenSettings())) == []
