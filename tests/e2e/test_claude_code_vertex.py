"""Claude Code in Vertex mode, with the environment that its users set, through a real `tallygate serve` in front of the fake of Google."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.test_claude_code import CALLS, MASTER, MODEL, ROOT, Gateway, free_port, issue_key, run_claude, until_ready
from tests.fakes.google import LOCATION, PROJECT, FakeGoogle
from tests.fakes.google_tokens import key_file
from tests.fakes.serving import serve_in_thread

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

CONFIG = """\
model_list:
  - model_name: {model}
    litellm_params:
      model: vertex_ai/{model}
      api_base: "{upstream}"
      vertex_project: {project}
      vertex_location: {location}
      vertex_credentials: key.json
general_settings: {{master_key: os.environ/LITELLM_MASTER_KEY, database_url: "sqlite:///e2e.db"}}
"""


@dataclass(frozen=True)
class Vertex:
    gateway: Gateway
    fake: FakeGoogle

    def environment(self, key: str, base: str) -> dict[str, str]:
        """What a person sets to have Claude Code go to Vertex through a gateway."""
        return {
            "CLAUDE_CODE_USE_VERTEX": "1",
            "CLAUDE_CODE_SKIP_VERTEX_AUTH": "1",
            "ANTHROPIC_VERTEX_BASE_URL": f"{self.gateway.url}{base}",
            "ANTHROPIC_VERTEX_PROJECT_ID": "my-own-project",
            "CLOUD_ML_REGION": "us-east5",
            "ANTHROPIC_AUTH_TOKEN": key,
        }


@pytest.fixture
def vertex(tmp_path: Path) -> Iterator[Vertex]:
    """The gateway's own access is a service account's key file, whose tokens the fake gives."""
    fake, home, port = FakeGoogle(), tmp_path / "home", free_port()
    with serve_in_thread(fake) as upstream:
        config = tmp_path / "config.yaml"
        config.write_text(CONFIG.format(model=MODEL, upstream=upstream, project=PROJECT, location=LOCATION))
        (tmp_path / "key.json").write_text(key_file(upstream))
        environment = {"PATH": os.environ["PATH"], "TALLYGATE_HOME": str(home), "LITELLM_MASTER_KEY": MASTER}
        command = [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(port), "--config", str(config)]
        with (tmp_path / "serve.log").open("wb") as log:
            process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log)
        try:
            until_ready(f"http://127.0.0.1:{port}", process)
            yield Vertex(Gateway(f"http://127.0.0.1:{port}", home, fake.claude), fake)
        finally:
            process.terminate()
            process.wait(30)


@pytest.mark.parametrize("base", ["/vertex_ai/v1", "/vertex"])
def test_claude_code_writes_a_file_in_vertex_mode(vertex: Vertex, tmp_path: Path, base: str) -> None:
    key = issue_key(vertex.gateway, key_alias="alice", max_budget=10.0)
    environment = vertex.environment(key, base)
    result = run_claude(vertex.gateway, tmp_path / "run", "Write a file named greeting.txt that says hello.", **environment)
    assert result["is_error"] is False, result
    assert (tmp_path / "run/work/greeting.txt").read_text().strip() == "hello from tallygate"
    assert vertex.fake.problems() == []
    calls = vertex.gateway.rows(CALLS)
    assert len(calls) >= 2
    assert {(call[0], call[1], call[6]) for call in calls} == {(result["session_id"], "ok", "alice")}
    assert "Write" in "".join(str(call[5]) for call in calls)


def test_ledger_equals_the_providers_bill(vertex: Vertex, tmp_path: Path) -> None:
    key = issue_key(vertex.gateway, key_alias="bob")
    environment = vertex.environment(key, "/vertex_ai/v1")
    run_claude(vertex.gateway, tmp_path / "run", "Write a file named bill.txt that says hello.", **environment)
    billed = sum(row.usage["output_tokens"] for row in vertex.fake.bill.rows)
    assert vertex.gateway.rows("SELECT sum(output_tokens) FROM audit_requestrecord") == [(billed,)]
    assert vertex.gateway.rows("SELECT count(*) FROM billing_ledgerentry WHERE amount_nano > 0") == [(len(vertex.fake.bill.rows),)]
