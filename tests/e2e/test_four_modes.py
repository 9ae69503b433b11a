"""Claude Code in each of its four modes finishes its task although one of two deployments, at another cloud, is killed in mid-run."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.bedrock_town import tallygate, until_ready
from tests.e2e.test_claude_code import CALLS, MASTER, Gateway, free_port, issue_key, run_claude
from tests.fakes import bedrock, google
from tests.fakes.fault_proxy import FaultProxy
from tests.fakes.google_tokens import key_file
from tests.fakes.provider import DEFAULT_KEY, FakeProvider
from tests.fakes.serving import Receive, Scope, Send, break_connection, serve_in_thread

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

MODEL = "claude-sonnet-5-5"
AT_BEDROCK = f"us.anthropic.{MODEL}"
ROWS = {
    "anthropic": "model: anthropic/{model}\n      api_key: os.environ/FAKE_PROVIDER_API_KEY",
    "bedrock": "model: bedrock/us.anthropic.{model}\n      aws_region_name: {region}\n"
    "      aws_access_key_id: os.environ/AWS_ACCESS_KEY_ID\n      aws_secret_access_key: os.environ/AWS_SECRET_ACCESS_KEY",
    "vertex_ai": "model: vertex_ai/{model}\n      vertex_project: {project}\n      vertex_location: {location}\n"
    "      vertex_credentials: key.json",
}
CONFIG = """\
model_list:
{rows}
general_settings: {{master_key: os.environ/LITELLM_MASTER_KEY, database_url: "sqlite:///e2e.db"}}
"""


def fake_of(provider: str) -> Any:
    return {"anthropic": FakeProvider, "bedrock": bedrock.FakeBedrock, "vertex_ai": google.FakeGoogle}[provider]()


@dataclass
class Both:
    """What both providers charged for."""

    fakes: list[Any]

    @property
    def bill(self) -> "Both":
        return self

    @property
    def rows(self) -> list[Any]:
        return [row for fake in self.fakes for row in fake.bill.rows]


@dataclass
class Town:
    """The gateway, and two providers at different clouds."""

    gateway: Gateway
    first: Any
    second: Any


@dataclass
class Mortal:
    """A provider whose machine is gone once it has answered its first call for a model: nobody listens, kept connections are reset."""

    app: Any
    killer: ExitStack
    door: FaultProxy | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and asks_a_model(scope["raw_path"]):
            if self.door is None:
                break_connection(scope, reset=True)
                return
            door, self.door = self.door, None
            await asyncio.to_thread(self.killer.enter_context, door.shut())
        await self.app(scope, receive, send)


def asks_a_model(raw_path: bytes) -> bool:
    return raw_path.endswith((b"/v1/messages", b"awPredict", b"-response-stream"))


def row(provider: str, upstream: str, order: int) -> str:
    params = ROWS[provider].format(model=MODEL, region=bedrock.REGION, project=google.PROJECT, location=google.LOCATION)
    return f'  - model_name: {MODEL}\n    litellm_params:\n      {params}\n      api_base: "{upstream}"\n      order: {order}\n'


@contextmanager
def town(folder: Path, *providers: str) -> Iterator[Town]:
    fakes, port = [fake_of(provider) for provider in providers], free_port()
    with ExitStack() as stack:
        mortal = Mortal(fakes[0], ExitStack())
        urls = [stack.enter_context(serve_in_thread(app)) for app in (mortal, fakes[1])]
        mortal.door = door = stack.enter_context(FaultProxy(urls[0]).running())
        stack.enter_context(mortal.killer)
        rows = [row(provider, url, order) for order, (provider, url) in enumerate(zip(providers, [door.url, urls[1]], strict=True), 1)]
        (folder / "config.yaml").write_text(CONFIG.format(rows="".join(rows)))
        (folder / "key.json").write_text(key_file(urls[providers.index("vertex_ai")] if "vertex_ai" in providers else urls[0]))
        environment = {
            "PATH": os.environ["PATH"],
            "TALLYGATE_HOME": str(folder / "home"),
            "LITELLM_MASTER_KEY": MASTER,
            "FAKE_PROVIDER_API_KEY": DEFAULT_KEY,
            "AWS_ACCESS_KEY_ID": bedrock.KEY_ID,
            "AWS_SECRET_ACCESS_KEY": bedrock.SECRET,
        }
        with (folder / "serve.log").open("wb") as log:
            words = ["serve", "--port", str(port), "--config", str(folder / "config.yaml")]
            process = subprocess.Popen(tallygate(*words), env=environment, cwd=folder, stdout=log, stderr=log)
        stack.callback(process.wait, 30)
        stack.callback(process.terminate)
        until_ready(f"http://127.0.0.1:{port}", process, None)
        gateway = Gateway(f"http://127.0.0.1:{port}", folder / "home", Both(fakes))  # type: ignore[arg-type]  # all it asks is the bill
        yield Town(gateway, *fakes)


MODES = {
    "unified": (("anthropic", "bedrock"), {}, MODEL),
    "/anthropic": (("anthropic", "vertex_ai"), {"ANTHROPIC_BASE_URL": "{url}/anthropic"}, MODEL),
    "bedrock": (
        ("bedrock", "anthropic"),
        {
            "CLAUDE_CODE_USE_BEDROCK": "1",
            "CLAUDE_CODE_SKIP_BEDROCK_AUTH": "1",
            "ANTHROPIC_BEDROCK_BASE_URL": "{url}/bedrock",
            "AWS_REGION": bedrock.REGION,
        },
        AT_BEDROCK,
    ),
    "vertex": (
        ("vertex_ai", "bedrock"),
        {
            "CLAUDE_CODE_USE_VERTEX": "1",
            "CLAUDE_CODE_SKIP_VERTEX_AUTH": "1",
            "ANTHROPIC_VERTEX_BASE_URL": "{url}/vertex_ai/v1",
            "ANTHROPIC_VERTEX_PROJECT_ID": "my-own-project",
            "CLOUD_ML_REGION": "us-east5",
        },
        MODEL,
    ),
}


@pytest.mark.parametrize("mode", MODES)
def test_claude_code_finishes_its_task_while_a_deployment_is_killed(tmp_path: Path, mode: str) -> None:
    providers, settings, model = MODES[mode]
    with town(tmp_path, *providers) as here:
        key = issue_key(here.gateway, key_alias="alice", max_budget=100.0)
        environment = {name: value.format(url=here.gateway.url) for name, value in settings.items()}
        prompt = "Write a file named greeting.txt that says hello."
        result = run_claude(here.gateway, tmp_path / "run", prompt, model=model, **environment, ANTHROPIC_AUTH_TOKEN=key)
        calls = here.gateway.rows(CALLS)
        served = here.gateway.rows("SELECT DISTINCT provider FROM audit_requestrecord WHERE outcome = 'ok'")
        ledger = here.gateway.rows("SELECT count(*) FROM billing_ledgerentry WHERE amount_nano > 0")
    assert result["is_error"] is False, result
    assert (tmp_path / "run/work/greeting.txt").read_text().strip() == "hello from tallygate"
    assert {call[1] for call in calls} == {"ok"}
    assert {provider for (provider,) in served} == set(providers)
    assert ledger == [(len(here.gateway.fake.bill.rows),)]
    assert (here.first.problems(), here.second.problems()) == ([], [])
