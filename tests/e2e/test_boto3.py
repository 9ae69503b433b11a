"""boto3 as people's programs use it, over TLS with a certificate of `tallygate tls dev-cert`: the program stays as it is."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.bedrock_town import BedrockTown, environment, issue_key, serving, tallygate
from tests.fakes.bedrock import REGION

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

CLAUDE, NOVA = "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us.amazon.nova-micro-v1:0"
PROGRAM = """
import json, sys, boto3
claude, nova = sys.argv[1:]
client = boto3.client("bedrock-runtime")
body = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]})
messages = [{"role": "user", "content": [{"text": "Hello"}]}]
whole = json.loads(client.invoke_model(modelId=claude, body=body)["body"].read())
stream = client.invoke_model_with_response_stream(modelId=claude, body=body)["body"]
events = [json.loads(event["chunk"]["bytes"]) for event in stream]
said = client.converse(modelId=nova, messages=messages)
pieces = list(client.converse_stream(modelId=nova, messages=messages)["stream"])
print(json.dumps({
    "invoke": whole["content"][0]["text"],
    "invoke stream": "".join(event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta"),
    "converse": said["output"]["message"]["content"][0]["text"],
    "converse stream": " ".join(piece["contentBlockDelta"]["delta"]["text"] for piece in pieces if "contentBlockDelta" in piece),
}))
"""


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    subprocess.run(tallygate("tls", "dev-cert"), env=environment(tmp_path), check=True, capture_output=True, timeout=60)
    folder = tmp_path / "home" / "tls"
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def town(tmp_path: Path, certificate: tuple[Path, Path]) -> Iterator[BedrockTown]:
    with serving(tmp_path, [CLAUDE, NOVA], certificate=certificate) as started:
        yield started


def run_program(town: BedrockTown, **changes: str) -> subprocess.CompletedProcess[str]:
    """The program as it is, in a person's environment."""
    settings = {
        "PATH": os.environ["PATH"],
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": f"{town.gateway.url}/bedrock",
        **changes,
    }
    words = [sys.executable, "-c", PROGRAM, CLAUDE, NOVA]
    return subprocess.run(words, env=settings, capture_output=True, text=True, timeout=120)


def test_program_for_bedrock_runs_unchanged_with_a_virtual_key(town: BedrockTown, certificate: tuple[Path, Path]) -> None:
    key = issue_key(town.gateway, certificate[0], key_alias="alice", max_budget=10.0)
    done = run_program(town, AWS_BEARER_TOKEN_BEDROCK=key, AWS_CA_BUNDLE=str(certificate[0]))
    told: dict[str, Any] = json.loads(done.stdout or "{}")
    assert set(told.values()) == {"Hello from the fake provider."}, done.stderr
    assert len(told) == 4
    assert town.fake.problems() == []
    assert set(town.fake.services) == {"bedrock"}
    calls = town.gateway.rows("SELECT outcome, key_name, output_tokens, cost_nano > 0 FROM audit_requestrecord")
    assert calls == [("ok", "alice", 12, 1)] * 4


def test_program_with_aws_keys_is_told_which_variable_to_set(town: BedrockTown, certificate: tuple[Path, Path]) -> None:
    done = run_program(town, AWS_ACCESS_KEY_ID="AKIAX", AWS_SECRET_ACCESS_KEY="x", AWS_CA_BUNDLE=str(certificate[0]))
    assert "Set AWS_BEARER_TOKEN_BEDROCK to a virtual key" in done.stderr
    assert not town.fake.seen
