"""Claude Code from npm, headless, with a home of its own, through a real `tallygate serve` in front of the fake provider."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.fakes.provider import DEFAULT_KEY, FakeProvider
from tests.fakes.serving import serve_in_thread

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
MASTER = "sk-master-for-e2e-tests-only"
MODEL = "claude-sonnet-5-5"
CALLS = """
SELECT session_id, outcome, input_tokens, output_tokens, cost_nano, tools, key_name, client FROM audit_requestrecord
"""
CONFIG = """\
model_list:
  - model_name: {model}
    litellm_params: {{model: anthropic/{model}, api_base: "{upstream}", api_key: os.environ/FAKE_PROVIDER_API_KEY}}
  - model_name: claude-haiku-5-5
    litellm_params: {{model: anthropic/claude-haiku-5-5, api_base: "{upstream}", api_key: os.environ/FAKE_PROVIDER_API_KEY}}
general_settings: {{master_key: os.environ/LITELLM_MASTER_KEY, database_url: "sqlite:///e2e.db"}}
"""


@dataclass(frozen=True)
class Gateway:
    url: str
    home: Path
    fake: FakeProvider

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """What stands in the database, once every call that the provider charged for is posted."""
        with sqlite3.connect(self.home / "e2e.db") as connection:
            for _ in range(150):
                (posted,) = connection.execute("SELECT count(*) FROM billing_ledgerentry").fetchone()
                if posted >= len(self.fake.bill.rows):
                    break
                time.sleep(0.1)
            return connection.execute(query).fetchall()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "serve ended"
        try:
            if httpx.get(f"{url}/health/readiness", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("serve did not get ready")


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    fake, home, port = FakeProvider(), tmp_path / "home", free_port()
    with serve_in_thread(fake) as upstream:
        config = tmp_path / "config.yaml"
        config.write_text(CONFIG.format(model=MODEL, upstream=upstream))
        environment = {
            "PATH": os.environ["PATH"],
            "TALLYGATE_HOME": str(home),
            "LITELLM_MASTER_KEY": MASTER,
            "FAKE_PROVIDER_API_KEY": DEFAULT_KEY,
        }
        command = [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(port), "--config", str(config)]
        with (tmp_path / "serve.log").open("wb") as log:
            process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log)
        try:
            until_ready(f"http://127.0.0.1:{port}", process)
            yield Gateway(f"http://127.0.0.1:{port}", home, fake)
        finally:
            process.terminate()
            process.wait(30)


def issue_key(gateway: Gateway, **fields: object) -> str:
    answer = httpx.post(f"{gateway.url}/key/generate", json=fields, headers={"Authorization": f"Bearer {MASTER}"})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["key"])


def run_claude(gateway: Gateway, folder: Path, prompt: str, *, model: str = MODEL, **environment: str) -> dict[str, object]:
    """One headless run in `folder` with dummy keys only; its result as Claude Code tells it."""
    (folder / "home").mkdir(parents=True, exist_ok=True)
    (folder / "work").mkdir(exist_ok=True)
    settings = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "ANTHROPIC_BASE_URL": gateway.url,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        **environment,
    }
    claude = shutil.which("claude")
    assert claude is not None, "make e2e puts the client on PATH"
    command = [claude, "-p", prompt, "--model", model, "--output-format", "json", "--allowedTools", "Write", "--max-turns", "5"]
    done = subprocess.run(command, env=settings, cwd=folder / "work", capture_output=True, text=True, timeout=240, stdin=subprocess.DEVNULL)
    result: dict[str, object] = json.loads(done.stdout)
    return result


def test_claude_code_writes_a_file_and_every_call_is_on_record(gateway: Gateway, tmp_path: Path) -> None:
    key = issue_key(gateway, key_alias="alice", max_budget=10.0)
    result = run_claude(gateway, tmp_path / "run", "Write a file named greeting.txt that says hello.", ANTHROPIC_AUTH_TOKEN=key)
    assert result["is_error"] is False, result
    assert (tmp_path / "run/work/greeting.txt").read_text().strip() == "hello from tallygate"
    calls = gateway.rows(CALLS)
    assert len(calls) >= 2
    assert {call[0] for call in calls} == {result["session_id"]}
    assert {call[1] for call in calls} == {"ok"}
    assert all(call[2] > 0 and call[3] > 0 and call[4] > 0 for call in calls)  # type: ignore[operator]  # integers of the database
    assert "Write" in "".join(str(call[5]) for call in calls)
    assert {call[6] for call in calls} == {"alice"}
    assert all(str(call[7]).startswith("claude-cli/") for call in calls)


def test_ledger_equals_the_providers_bill(gateway: Gateway, tmp_path: Path) -> None:
    key = issue_key(gateway, key_alias="bob")
    run_claude(gateway, tmp_path / "run", "Write a file named bill.txt that says hello.", ANTHROPIC_API_KEY=key)
    billed = sum(row.usage["output_tokens"] for row in gateway.fake.bill.rows)
    assert gateway.rows("SELECT sum(output_tokens) FROM audit_requestrecord WHERE endpoint = 'messages'") == [(billed,)]
    assert gateway.rows("SELECT count(*) FROM billing_ledgerentry") == [(len(gateway.fake.bill.rows),)]


def test_person_reads_that_the_budget_is_used_up(gateway: Gateway, tmp_path: Path) -> None:
    key = issue_key(gateway, key_alias="spent", max_budget=0.0)
    result = run_claude(gateway, tmp_path / "run", "Say hello.", ANTHROPIC_AUTH_TOKEN=key)
    assert "The budget of key spent is used up" in str(result["result"])
    assert not gateway.fake.bill.rows


def test_person_reads_which_models_are_open(gateway: Gateway, tmp_path: Path) -> None:
    key = issue_key(gateway, key_alias="narrow", models=["claude-haiku-5-5"])
    result = run_claude(gateway, tmp_path / "run", "Say hello.", ANTHROPIC_AUTH_TOKEN=key)
    assert "claude-haiku-5-5" in str(result["result"])
    assert "not open to key narrow" in str(result["result"])
