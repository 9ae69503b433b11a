"""The master key as a reference: followed at the start, refused in one clear line, never shown."""

from pathlib import Path

import pytest

from gateway_project.env import WrongSetting
from gateway_project.master_key import followed
from routing.references import Reference, SourceAway
from routing.secret_sources import SecretSources
from tests.gateway_project.test_cli import run

KEY = "sk-master-canary-4"


class Shelf:
    def __init__(self, answer: str | SourceAway) -> None:
        self.answer = answer

    def read(self, reference: Reference) -> str:
        if isinstance(self.answer, SourceAway):
            raise self.answer
        return self.answer


def sources(answer: str | SourceAway, **environment: str) -> SecretSources:
    return SecretSources(environment, stores={kind: lambda environment: Shelf(answer) for kind in ("aws-sm", "vault")})


def test_key_itself_stays_as_it_is() -> None:
    assert followed(KEY, None) == KEY


@pytest.mark.parametrize(
    "text", ["env:PATH_OF_KEY", "env:TALLYGATE_OLD_KEY", "file:master", "aws-sm:prod/gateway#key", "vault:secret/gw#key"]
)
def test_reference_of_every_form_is_followed(text: str, tmp_path: Path) -> None:
    (tmp_path / "master").write_text(f"{KEY}\n")
    answer = '{"key": "' + KEY + '"}'
    assert followed(text, tmp_path, sources(answer, PATH_OF_KEY=KEY, TALLYGATE_OLD_KEY=KEY)) == KEY


def test_file_anywhere_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "master").write_text(KEY)
    assert followed(f"file:{tmp_path}/master", None) == KEY


@pytest.mark.parametrize(
    ("text", "reason"),
    [("env:NOT_SET", "env:NOT_SET"), ("file:master", "TALLYGATE_SECRETS_DIR"), ("vault:nothing", "vault:MOUNT/PATH"),
     ("vault:a/b", "#FIELD"), ("file:/no/such/file", "No such file")],
)  # fmt: skip
def test_reference_that_leads_nowhere_stops_the_start_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(WrongSetting, match=reason) as caught:
        followed(text, None, sources('{"key": "' + KEY + '"}'))
    assert KEY not in str(caught.value)


def test_source_that_is_away_stops_the_start() -> None:
    with pytest.raises(WrongSetting, match=r"master key cannot be read.*Vault cannot be reached"):
        followed("vault:a/b#key", None, sources(SourceAway("Vault cannot be reached.")))


@pytest.mark.parametrize("name", ["TALLYGATE_MASTER_KEY", "LITELLM_MASTER_KEY"])
def test_command_starts_with_a_reference_and_shows_no_key(tmp_path: Path, name: str) -> None:
    (tmp_path / "master").write_text(f"{KEY}\n")
    done = run(tmp_path / "home", "check-config", **{name: f"file:{tmp_path}/master"})
    assert (done.returncode, KEY in done.stdout + done.stderr) == (0, False)


def test_command_refuses_to_start_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("general_settings: {master_key: 'env:NO_SUCH_KEY'}\n")
    done = run(tmp_path / "home", "check-config", "--config", "c.yaml")
    assert done.returncode == 2
    assert done.stderr.startswith("manage.py: The master key cannot be read from where it is said to lie: env:NO_SUCH_KEY refers to")
    assert done.stderr.count("\n") == 1


def test_folder_of_secrets_that_holds_our_home_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path / "home", "check-config", TALLYGATE_SECRETS_DIR=str(tmp_path))
    assert done.returncode == 2
    assert "TALLYGATE_SECRETS_DIR holds TALLYGATE_HOME" in done.stderr
