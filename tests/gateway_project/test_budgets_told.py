"""Budgets at every door of a real server: a refused caller reads what the API shows, and a change is in force at once."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway_project.running import ASK, MASTER, ROOT, Serving, own_environment, until


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("told") / "home"


@pytest.fixture(scope="module")
def serving(home: Path) -> Iterator[Serving]:
    running = Serving(home, "--no-background", TALLYGATE_MASTER_KEY=MASTER)
    yield running
    running.stop()


def spent_key(serving: Serving, **terms: Any) -> str:
    """A key that has used up its budget."""
    key = str(serving.post("/key/generate", {"max_budget": 0.00002, "budget_duration": "30d", **terms}).json()["key"])
    until(lambda: serving.ask(key) == 429)
    return key


def shown(serving: Serving, key: str) -> dict[str, Any]:
    """The key's budget as the API shows it."""
    return dict(serving.read(f"/key/info?key={key}")["info"]["budgets"][0])


def refusal(serving: Serving, key: str) -> str:
    return str(serving.post("/v1/messages", {**ASK, "max_tokens": 8}, key).json()["error"]["message"])


def test_refusal_api_and_command_line_tell_the_same(serving: Serving, home: Path) -> None:
    """R31, R32."""
    key = spent_key(serving)
    until(lambda: shown(serving, key)["held"] == 0 and refusal(serving, key).startswith(shown(serving, key)["text"]))
    listed = command(home, "budgets", "list", "--json")
    assert shown(serving, key)["text"] in listed


def test_raised_budget_lets_the_key_in_at_once_and_a_lowered_one_refuses_its_next_call(serving: Serving) -> None:
    """R28."""
    key = spent_key(serving)
    assert serving.post("/key/update", {"key": key, "max_budget": 100}).status_code == 200
    assert serving.ask(key) == 200
    assert serving.post("/key/update", {"key": key, "max_budget": 0}).status_code == 200
    assert serving.ask(key) == 429


def test_money_adds_up_while_the_server_runs(serving: Serving, home: Path) -> None:
    """R4."""
    spent_key(serving)
    until(lambda: "add up" in command(home, "money", "check"))


def command(home: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *words], env=own_environment(home, {}), capture_output=True, text=True, check=False
    )
    return done.stdout
