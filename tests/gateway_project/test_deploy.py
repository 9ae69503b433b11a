"""R152: what Django itself says of our settings, and what its page of details would show."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.test import RequestFactory
from django.views.debug import ExceptionReporter
from pytest_django import Settings

from tests.gateway_project.running import ROOT, own_environment


def check(home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "manage.py"), "check", "--deploy", "--fail-level", "WARNING"]
    return subprocess.run(command, env=own_environment(home, environment), capture_output=True, text=True, timeout=60, check=False)


def test_django_finds_nothing_to_mend_behind_https(tmp_path: Path) -> None:
    done = check(tmp_path / "home", TALLYGATE_PUBLIC_URL="https://gate.example")
    assert (done.returncode, done.stderr) == (0, "")
    assert "no issues" in done.stdout


def test_page_of_details_is_off_and_told_where_it_is_on(tmp_path: Path) -> None:
    done = check(tmp_path / "home", TALLYGATE_PUBLIC_URL="https://gate.example", TALLYGATE_DEBUG="yes")
    assert done.returncode == 1
    assert "security.W018" in done.stderr


@pytest.mark.parametrize("name", ["REDIS_URL", "TALLYGATE_REQUIRED_HEADER", "TALLYGATE_SIGN_IN", "CHANNEL_LAYERS"])
def test_page_of_details_shows_no_setting(settings: Settings, rf: RequestFactory, name: str) -> None:
    settings.DEBUG = True
    setattr(settings, name, {"a": "redis://:canary-7731@127.0.0.1"})
    error = RuntimeError("told")
    page = ExceptionReporter(rf.get("/"), RuntimeError, error, None).get_traceback_html()
    assert "told" in page
    assert "canary-7731" not in page
