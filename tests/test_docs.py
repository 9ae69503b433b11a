"""What people read keeps up with what the code does."""

import re
from pathlib import Path

import pytest

from console.reasons import REASONS
from keys.authenticate import CREDENTIAL_HEADERS
from routing.diagnosis import SENTENCES
from routing.failures import Reason
from routing.providers.demo import MAGIC_MODELS

ROOT = Path(__file__).resolve().parent.parent
ERRORS = (ROOT / "docs/errors.md").read_text()
TROUBLE = (ROOT / "docs/troubleshooting.md").read_text()
DEMO = (ROOT / "docs/demo-provider.md").read_text()
CODE = re.compile(r'(?:Error|TooSlow|Lost|Unreachable|NotReady|Refusal)\(\s*(?:\d{3},\s*)?"([a-z_]+)"')


def codes() -> list[str]:
    files = [*sorted((ROOT / "proxy").glob("*.py")), ROOT / "keys/authenticate.py"]
    return sorted({code for path in files for code in CODE.findall(path.read_text())})


def test_codes_are_found() -> None:
    assert {"key_invalid", "model_not_allowed", "provider_timeout", "budget_exceeded"} <= set(codes())


@pytest.mark.parametrize("code", codes())
def test_every_error_code_is_explained(code: str) -> None:
    assert f"`{code}`" in ERRORS


@pytest.mark.parametrize(("kind", "sentence"), [pair for pair in SENTENCES.items() if pair[0]])
def test_every_class_of_failure_is_explained(kind: str, sentence: str) -> None:
    assert f"| `{kind}` | {sentence} |" in TROUBLE


@pytest.mark.parametrize("word", sorted({*REASONS, *(reason.value for reason in Reason)}))
def test_every_reason_of_an_attempt_is_explained(word: str) -> None:
    assert f"`{word}`" in TROUBLE


@pytest.mark.parametrize(("name", "sentence"), MAGIC_MODELS.items())
def test_every_magic_model_is_explained(name: str, sentence: str) -> None:
    assert f"| `{name}` | {sentence} |" in DEMO


@pytest.mark.parametrize("name", CREDENTIAL_HEADERS)
def test_every_place_for_a_key_is_named(name: bytes) -> None:
    assert name.decode() in (ROOT / "docs/clients.md").read_text().lower()


def test_readme_begins_with_the_two_commands() -> None:
    first_block = (ROOT / "README.md").read_text().split("```")[1]
    assert "make run" in first_block
    assert "make test" in first_block
    assert "/ui" in (ROOT / "README.md").read_text()
