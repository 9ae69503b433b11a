"""`tallygate tls dev-cert`: a pair that a client which trusts it, and only such a client, accepts."""

import json
import ssl
import stat
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from gateway_project.dev_certificate import NAMES, files, is_usable, make
from tests.proxy.raw_http import Recorder, dial, get, read_to_end, serving, status_of

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture(autouse=True)
def home(settings: Settings, tmp_path: Path) -> Path:
    settings.TALLYGATE_HOME = tmp_path
    return tmp_path


def run(*words: str) -> str:
    out = StringIO()
    call_command("tls", "dev-cert", *words, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_client_that_trusts_the_certificate_is_served(home: Path, name: str) -> None:
    run()
    certificate, key = files(home / "tls")
    context = ssl.create_default_context(cafile=certificate)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with serving(Recorder(), tls=(certificate, key)) as port, context.wrap_socket(dial(port), server_hostname=name) as client:
        client.sendall(get())
        assert status_of(read_to_end(client)) == 200


@pytest.mark.parametrize("name", ["evil.example", "10.0.0.1"])
def test_certificate_holds_for_this_machine_only(home: Path, name: str) -> None:
    run()
    certificate, key = files(home / "tls")
    context = ssl.create_default_context(cafile=certificate)
    with serving(Recorder(), tls=(certificate, key)) as port, dial(port) as client, pytest.raises(ssl.SSLCertVerificationError):
        context.wrap_socket(client, server_hostname=name)


def test_key_is_private(home: Path) -> None:
    run()
    certificate, key = files(home / "tls")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(certificate.parent.stat().st_mode) == 0o700
    assert "PRIVATE" not in certificate.read_text()


def test_words_tell_how_to_use_it(home: Path) -> None:
    told = run()
    certificate, key = files(home / "tls")
    assert f"tallygate serve --tls-cert {certificate} --tls-key {key}" in told
    assert f"AWS_CA_BUNDLE={certificate}" in told


def test_pair_that_still_holds_is_kept_unless_a_new_one_is_wanted(home: Path) -> None:
    run()
    first = files(home / "tls")[0].read_bytes()
    assert "already" in run()
    assert files(home / "tls")[0].read_bytes() == first
    run("--renew")
    assert files(home / "tls")[0].read_bytes() != first


def test_further_name_makes_a_new_pair(home: Path) -> None:
    run()
    assert "made" in run("--name", "gateway.test", "--name", "192.0.2.7")
    assert is_usable(home / "tls", ["gateway.test", "192.0.2.7", *NAMES], datetime.now(UTC))


@pytest.mark.parametrize("name", ["a b", "", "https://x", "ü.example"])
def test_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(CommandError, match="neither"):
        run("--name", name)


def test_pair_near_its_end_or_damaged_is_not_usable(home: Path) -> None:
    make(home, NAMES, NOW)
    assert is_usable(home, NAMES, NOW)
    assert not is_usable(home, NAMES, NOW + timedelta(days=800))
    files(home)[0].write_text("rubbish")
    assert not is_usable(home, NAMES, NOW)


def test_paths_are_told_as_json(home: Path) -> None:
    certificate, key = files(home / "tls")
    assert json.loads(run("--json")) == {"certificate": str(certificate), "key": str(key), "is_new": True}
    assert not json.loads(run("--json"))["is_new"]
