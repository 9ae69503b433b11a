"""Claude Code in Bedrock mode, in both environments that its users set, through a real `tallygate serve` to the fake Bedrock."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.bedrock_town import BedrockTown, issue_key, serving
from tests.e2e.test_claude_code import CALLS, run_claude
from tests.fakes.bedrock import REGION

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SONNET, HAIKU = "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us.anthropic.claude-haiku-4-5-20251001-v1:0"
CALLED = [SONNET, HAIKU, "us.anthropic.claude-opus-5-5", "us.anthropic.claude-sonnet-5-5", "us.anthropic.claude-haiku-5-5"]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[BedrockTown]:
    with serving(tmp_path, CALLED) as started:
        yield started


def bedrock_mode(town: BedrockTown) -> dict[str, str]:
    return {
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "ANTHROPIC_BEDROCK_BASE_URL": f"{town.gateway.url}/bedrock",
        "AWS_REGION": REGION,
        "ANTHROPIC_MODEL": SONNET,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": HAIKU,
    }


def credentials(key: str, kind: str) -> dict[str, str]:
    """How a person hands over the virtual key."""
    return {
        "skip": {"CLAUDE_CODE_SKIP_BEDROCK_AUTH": "1", "ANTHROPIC_AUTH_TOKEN": key},
        "bearer": {"AWS_BEARER_TOKEN_BEDROCK": key},
    }[kind]


@pytest.mark.parametrize("kind", ["skip", "bearer"])
@pytest.mark.parametrize("model", [SONNET, "us.anthropic.claude-opus-5-5"])
def test_claude_code_writes_a_file_in_bedrock_mode(town: BedrockTown, tmp_path: Path, kind: str, model: str) -> None:
    key = issue_key(town.gateway, key_alias="alice", max_budget=100.0)
    settings = {**bedrock_mode(town), **credentials(key, kind)}
    result = run_claude(town.gateway, tmp_path / "run", "Write a file named greeting.txt that says hello.", model=model, **settings)
    assert result["is_error"] is False, result
    assert (tmp_path / "run/work/greeting.txt").read_text().strip() == "hello from tallygate"
    assert town.fake.problems() == []
    calls = [call for call in town.gateway.rows(CALLS) if "claude-cli" in str(call[7])]
    assert {(call[1], call[6]) for call in calls} == {("ok", "alice")}
    assert "Write" in "".join(str(call[5]) for call in calls)


def test_ledger_equals_the_providers_bill(town: BedrockTown, tmp_path: Path) -> None:
    key = issue_key(town.gateway, key_alias="bob")
    settings = {**bedrock_mode(town), **credentials(key, "skip")}
    run_claude(town.gateway, tmp_path / "run", "Write a file named bill.txt that says hello.", model=SONNET, **settings)
    billed = sum(row.usage["output_tokens"] for row in town.fake.bill.rows)
    assert town.gateway.rows("SELECT sum(output_tokens) FROM audit_requestrecord") == [(billed,)]
    assert town.gateway.rows("SELECT count(*) FROM billing_ledgerentry WHERE amount_nano > 0") == [(len(town.fake.bill.rows),)]
