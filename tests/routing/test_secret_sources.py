"""Following references: files, AWS Secrets Manager (moto's server), Vault (a fake of its wire, asked by the real hvac)."""

import builtins
import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from routing.references import CredentialUnusable, Reference, ReferenceRefused, Rules, SecretMissing, SourceAway, parse
from routing.secret_sources import AWAY_S, KEPT_S, MAX_FILE_BYTES, SecretSources
from tests.fakes.vault import ROLE_ID, ROOT_TOKEN, SECRET_ID, FakeVault, serving_vault

SECRET = "sk-ant-canary-3307"
OURS = Rules(is_operators=True)


def reference(text: str) -> Reference:
    found = parse(text)
    assert found is not None
    return found


def read(text: str, environment: dict[str, str], rules: Rules = OURS) -> str:
    return SecretSources(environment).read(reference(text), rules)


# ── the environment and files ─────────────────────────────────────────────────
def test_variable_is_read() -> None:
    assert read("env:CORP_KEY", {"CORP_KEY": f" {SECRET}\n"}) == SECRET


@pytest.mark.parametrize("environment", [{}, {"CORP_KEY": " "}])
def test_variable_that_is_not_set_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(SecretMissing, match="env:CORP_KEY"):
        read("env:CORP_KEY", environment)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inner = tmp_path / "secrets"
    inner.mkdir()
    (tmp_path / "outside").write_text(SECRET)
    return inner


def test_file_is_read_without_its_line_end(folder: Path) -> None:
    (folder / "key").write_text(f"{SECRET}\n")
    assert read("file:key", {}, Rules(folder=folder)) == SECRET


def test_file_as_kubernetes_mounts_it_is_read(folder: Path) -> None:
    (folder / "..2026").mkdir()
    (folder / "..2026" / "key").write_text(SECRET)
    (folder / "..data").symlink_to("..2026")
    (folder / "key").symlink_to("..data/key")
    assert read("file:key", {}, Rules(folder=folder)) == SECRET


def test_folder_may_itself_be_a_link(folder: Path) -> None:
    (folder / "key").write_text(SECRET)
    (folder.parent / "link").symlink_to(folder)
    assert read("file:key", {}, Rules(folder=folder.parent / "link")) == SECRET


def test_link_out_of_the_folder_is_refused(folder: Path) -> None:
    (folder / "key").symlink_to("../outside")
    with pytest.raises(ReferenceRefused, match="TALLYGATE_SECRETS_DIR"):
        read("file:key", {}, Rules(folder=folder))
    assert read("file:key", {}, Rules(folder=folder, is_operators=True)) == SECRET


def test_link_into_our_home_is_refused_to_everybody(folder: Path) -> None:
    home = folder.parent / "home"
    home.mkdir()
    (home / "secrets.env").write_text(SECRET)
    (folder / "key").symlink_to("../home/secrets.env")
    with pytest.raises(ReferenceRefused, match="TALLYGATE_HOME"):
        read("file:key", {}, Rules(folder=folder, home=home, is_operators=True))


def make_large(path: Path) -> None:
    path.write_text("x" * (MAX_FILE_BYTES + 1))


def make_loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "No such file"),
        (Path.mkdir, "Is a directory"),
        (os.mkfifo, "no ordinary file"),
        (make_large, "larger than 64 KB"),
        (lambda path: path.write_text("\n"), "is empty"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "no text"),
        (make_loop, "cannot be read"),
    ],
)
def test_file_that_holds_no_key_is_told(folder: Path, make: Callable[[Path], object], reason: str) -> None:
    make(folder / "key")
    with pytest.raises(SecretMissing, match=reason):
        read("file:key", {}, Rules(folder=folder))


# ── AWS Secrets Manager ───────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def aws_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(aws_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {"AWS_ENDPOINT_URL": aws_url, "AWS_ACCESS_KEY_ID": "AKIACANARY", "AWS_SECRET_ACCESS_KEY": "aws-canary"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    client = boto3.client("secretsmanager", region_name="eu-west-1")
    yield client
    for known in client.list_secrets()["SecretList"]:
        client.delete_secret(SecretId=known["ARN"], ForceDeleteWithoutRecovery=True)
    client.close()


IN_IRELAND = {"AWS_REGION": "eu-west-1"}


def test_secret_of_aws_is_read_whole_and_by_field(aws: Any) -> None:
    aws.create_secret(Name="prod/llm", SecretString=json.dumps({"anthropic": SECRET, "openai": "other"}))
    assert read("aws-sm:prod/llm#anthropic", IN_IRELAND) == SECRET
    assert json.loads(read("aws-sm:prod/llm", IN_IRELAND)) == {"anthropic": SECRET, "openai": "other"}


def test_binary_secret_of_aws_is_read(aws: Any) -> None:
    aws.create_secret(Name="binary", SecretBinary=SECRET.encode())
    assert read("aws-sm:binary", IN_IRELAND) == SECRET


def test_region_stands_in_the_reference_or_in_the_arn(aws: Any) -> None:
    arn = aws.create_secret(Name="llm", SecretString=SECRET)["ARN"]
    assert read("aws-sm:llm?region=eu-west-1", {"AWS_REGION": "us-east-1"}) == SECRET
    assert read(f"aws-sm:{arn}", {}) == SECRET


def test_secret_that_aws_does_not_have_is_told(aws: Any) -> None:
    with pytest.raises(SecretMissing, match=r"no aws-sm:nothing\?region=us-east-1"):
        read("aws-sm:nothing?region=us-east-1", {})


def test_missing_region_and_missing_credentials_are_told(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CredentialUnusable, match="AWS_REGION"):
        read("aws-sm:llm", {})
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(SourceAway, match="no AWS credentials"):
        read("aws-sm:llm", IN_IRELAND)


def test_aws_that_cannot_be_reached_is_told(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(SourceAway, match="EndpointConnectionError") as caught:
        read("aws-sm:llm", IN_IRELAND)
    assert "canary" not in str(caught.value).lower()


# ── Vault ─────────────────────────────────────────────────────────────────────
@dataclass
class Vault:
    fake: FakeVault
    environment: dict[str, str]

    def read(self, text: str) -> str:
        return read(text, self.environment)


@pytest.fixture
def vault() -> Iterator[Vault]:
    with serving_vault() as (fake, url):
        fake.secrets = {"secret/llm/anthropic": {"api_key": SECRET, "org": "o"}, "kv/old/openai": {"key": "old-canary"}}
        yield Vault(fake, {"VAULT_ADDR": url, "VAULT_TOKEN": ROOT_TOKEN})


def test_secret_of_vault_is_read_from_both_versions_of_the_engine(vault: Vault) -> None:
    assert vault.read("vault:secret/llm/anthropic#api_key") == SECRET
    assert json.loads(vault.read("vault:secret/llm/anthropic")) == {"api_key": SECRET, "org": "o"}
    assert vault.read("vault:kv/old/openai#key") == "old-canary"


def test_engine_that_may_not_be_asked_about_is_taken_for_the_usual_one(vault: Vault) -> None:
    vault.fake.tells_mounts = False
    assert vault.read("vault:secret/llm/anthropic#api_key") == SECRET


def test_role_signs_in_and_again_when_its_token_was_revoked(vault: Vault) -> None:
    environment = {"VAULT_ADDR": vault.environment["VAULT_ADDR"], "VAULT_ROLE_ID": ROLE_ID, "VAULT_SECRET_ID": SECRET_ID}
    now = [0.0]
    sources = SecretSources(environment, clock=lambda: now[0])
    assert sources.read(reference("vault:secret/llm/anthropic#api_key"), OURS) == SECRET
    vault.fake.tokens.clear()
    vault.fake.secrets["secret/llm/anthropic"] = {"api_key": "new"}
    now[0] = KEPT_S
    assert sources.refresh()
    assert (vault.fake.logins, sources.problems()) == (2, {})


@pytest.mark.parametrize("setting", ["VAULT_ADDR", "VAULT_TOKEN"])
def test_missing_setting_of_vault_is_named(vault: Vault, setting: str) -> None:
    del vault.environment[setting]
    with pytest.raises(CredentialUnusable, match=f"Set {setting}"):
        vault.read("vault:secret/llm/anthropic#api_key")


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (403, CredentialUnusable, "refused"),
        (404, SecretMissing, "no vault:"),
        (503, SourceAway, "VaultDown"),
        (302, SourceAway, "not answer"),
    ],
)
def test_refusals_of_vault_are_told_without_its_words(vault: Vault, status: int, kind: type[Exception], text: str) -> None:
    vault.fake.status = status
    with pytest.raises(kind, match=text) as caught:
        vault.read("vault:secret/llm/anthropic#api_key")
    assert "canary" not in str(caught.value)


def test_wrong_role_and_wrong_address_are_told(vault: Vault) -> None:
    address = vault.environment["VAULT_ADDR"]
    with pytest.raises(CredentialUnusable, match="sign-in") as caught:
        read("vault:secret/x#y", {"VAULT_ADDR": address, "VAULT_ROLE_ID": ROLE_ID, "VAULT_SECRET_ID": "wrong-canary"})
    assert "canary" not in str(caught.value)
    with pytest.raises(SourceAway, match="reached"):
        read("vault:secret/x#y", {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": ROOT_TOKEN})


def test_missing_hvac_is_told_with_what_to_install(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_hvac(name: str, *rest: Any, **named: Any) -> Any:
        if name == "hvac":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without_hvac)
    with pytest.raises(CredentialUnusable, match=r"pip install 'tallygate\[vault\]'"):
        vault.read("vault:secret/llm/anthropic#api_key")


# ── remembering ───────────────────────────────────────────────────────────────
@dataclass
class Shelf:
    """A store whose answers a test sets."""

    answers: dict[str, str | CredentialUnusable] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    now: float = 0.0

    def read(self, reference: Reference) -> str:
        self.asked.append(reference.name)
        answer = self.answers[reference.name]
        if isinstance(answer, CredentialUnusable):
            raise answer
        return answer

    def sources(self) -> SecretSources:
        return SecretSources({}, clock=lambda: self.now, stores={"vault": lambda environment: self})


KEY = Reference("vault", "a/b")


def test_secret_is_fetched_once_for_all_of_its_fields() -> None:
    shelf = Shelf({"a/b": '{"x": "1", "y": "2"}'})
    sources = shelf.sources()
    assert [sources.read(Reference("vault", "a/b", name), OURS) for name in ("x", "y", "x")] == ["1", "2", "1"]
    assert shelf.asked == ["a/b"]


def test_only_what_is_due_is_read_again_and_a_change_is_told() -> None:
    shelf = Shelf({"a/b": "old"})
    sources = shelf.sources()
    sources.read(KEY, OURS)
    shelf.answers["a/b"] = "new"
    assert not sources.refresh()
    shelf.now = KEPT_S
    assert sources.refresh()
    assert not sources.refresh()
    assert (sources.read(KEY, OURS), shelf.asked) == ("new", ["a/b", "a/b"])


def test_old_value_stays_while_its_source_is_away(caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf({"a/b": SECRET})
    sources = shelf.sources()
    sources.read(KEY, OURS)
    shelf.answers["a/b"], shelf.now = SourceAway("Vault cannot be reached."), KEPT_S
    with caplog.at_level(logging.WARNING):
        assert not sources.refresh()
        shelf.now += AWAY_S
        assert not sources.refresh()
    assert sources.read(KEY, OURS) == SECRET
    assert sources.problems() == {"vault:a/b": "Vault cannot be reached."}
    assert len(caplog.records) == 1
    assert SECRET not in f"{vars(caplog.records[0])} {sources._known}"


def test_source_that_is_away_is_not_asked_again_at_once() -> None:
    shelf = Shelf({"a/b": SourceAway("Vault cannot be reached."), "c/d": SECRET})
    sources = shelf.sources()
    for _ in range(2):
        for name in ("a/b", "c/d"):
            with pytest.raises(CredentialUnusable, match="cannot be reached"):
                sources.read(Reference("vault", name), OURS)
    assert shelf.asked == ["a/b"]
    shelf.answers["a/b"], shelf.now = "there", AWAY_S
    assert sources.refresh()
    assert (sources.read(KEY, OURS), sources.read(Reference("vault", "c/d"), OURS)) == ("there", SECRET)


def test_secret_that_nobody_reads_any_more_is_forgotten() -> None:
    shelf = Shelf({"a/b": SECRET})
    sources = shelf.sources()
    sources.read(KEY, OURS)
    sources.forget_unused()
    sources.forget_unused()
    shelf.now = KEPT_S
    assert not sources.refresh()
    assert shelf.asked == ["a/b"]
