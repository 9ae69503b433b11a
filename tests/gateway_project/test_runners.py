"""Set-ups for runners and helpers: the header on the command line and in the environment, and the texts that people copy from the docs."""

import json
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from console.client_setups import WORKFLOW
from gateway_project import env
from keys.jwt_verify import Trust, of_secret, verified
from keys.models import VirtualKey
from keys.required_headers import required_header
from tests.keys.signed import SECRET

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
HEADER = required_header("X-Runner-Secret", SECRET)


@pytest.fixture(autouse=True)
def readings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read here is no setting of the suite's own."""
    monkeypatch.setattr(env, "READINGS", dict(env.READINGS))


def create(given: str) -> str:
    out = StringIO()
    call_command("keys", "create", "--name", "ci", "--required-header", given, "--json", stdout=out)
    return out.getvalue()


@pytest.mark.django_db
@pytest.mark.parametrize("given", [f"X-Runner-Secret={SECRET}", "X-Runner-Secret=env:RUNNER_SECRET", "X-Runner-Secret=file:{}"])
def test_key_is_created_with_a_header(given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNNER_SECRET", SECRET)
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    told = create(given.format(tmp_path / "secret"))
    assert (json.loads(told)["required_header"], VirtualKey.objects.get().required_header_hash) == ("x-runner-secret", HEADER.digest)
    assert SECRET not in told and HEADER.digest not in told


@pytest.mark.django_db
@pytest.mark.parametrize(
    "given", ["X-Runner-Secret", "X-Runner-Secret=env:NOT_SET_ANYWHERE", "X-Runner-Secret=file:/nowhere", "Cookie=12345678"]
)
def test_header_that_cannot_guard_makes_no_key(given: str) -> None:
    with pytest.raises(CommandError):
        create(given)
    assert not VirtualKey.objects.exists()


def test_header_of_the_installation_is_read_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYGATE_REQUIRED_HEADER", f"X-Runner-Secret: {SECRET}")
    assert env.header("TALLYGATE_REQUIRED_HEADER", meaning="a header") == HEADER
    assert env.READINGS["TALLYGATE_REQUIRED_HEADER"].shown == "set"
    monkeypatch.setenv("TALLYGATE_REQUIRED_HEADER", SECRET)
    with pytest.raises(env.WrongSetting, match="TALLYGATE_REQUIRED_HEADER") as caught:
        env.header("TALLYGATE_REQUIRED_HEADER", meaning="a header")
    assert SECRET not in str(caught.value)


def code(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), flags=re.S)


def steps(workflow: str) -> Any:
    return yaml.safe_load(workflow)["jobs"]["claude"]["steps"]


def test_workflow_of_the_docs_is_the_one_that_connect_prints_and_more() -> None:
    (workflow,) = code("github-actions.md", "yaml")
    ours, printed = steps(workflow), steps(WORKFLOW)
    assert [step["uses"] for step in ours] == [step["uses"] for step in printed]
    assert ours[1]["with"].items() >= printed[1]["with"].items()
    assert set(ours[1]["env"]) == {*printed[1]["env"], "ANTHROPIC_CUSTOM_HEADERS"}


def test_helper_of_the_docs_prints_a_token_that_is_good_here(tmp_path: Path) -> None:
    """What /bin/sh would feed python with."""
    script = code("jwt.md", "sh")[1].partition("<<'END'\n")[2].partition("END\n")[0]
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config/gateway-secret").write_text(f"{SECRET}\n")
    asked = subprocess.run([sys.executable, "-"], input=script.encode(), capture_output=True, env={"HOME": str(tmp_path), "USER": "alice"})
    claims = verified(asked.stdout.strip(), (of_secret(SECRET),), Trust())
    assert (claims["user"], claims["team"]) == ("alice", "engineering")
