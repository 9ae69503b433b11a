"""Lines that people copy to start using a key."""

import json
import shlex
from dataclasses import dataclass

from django.utils.translation import gettext as _


@dataclass(frozen=True, slots=True)
class Block:
    title: str
    text: str

    @property
    def rows(self) -> int:
        return self.text.count("\n") + 1


def blocks(url: str, token: str, model: str) -> list[Block]:
    """Claude Code in a shell and by its settings, then curl."""
    settings = {"env": {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_AUTH_TOKEN": token}}
    return [
        Block(
            _("Claude Code, in a shell"),
            f"export ANTHROPIC_BASE_URL={shlex.quote(url)}\nexport ANTHROPIC_AUTH_TOKEN={shlex.quote(token)}\nclaude",
        ),
        Block(_("Claude Code, in ~/.claude/settings.json"), json.dumps(settings, indent=2)),
        curl_block(url, token, model),
    ]


def curl_block(url: str, token: str, model: str) -> Block:
    question = {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}
    words = [
        f"curl {shlex.quote(url + '/v1/messages')}",
        f"-H {shlex.quote('x-api-key: ' + token)}",
        "-H 'anthropic-version: 2023-06-01'",
        "-H 'content-type: application/json'",
        f"-d {shlex.quote(json.dumps(question, ensure_ascii=False))}",
    ]
    return Block(_("Try it with curl"), " \\\n  ".join(words))


def example_model(names: list[str]) -> str:
    """A model name that the key's list surely allows."""
    return next((name for name in names if "*" not in name and not name.startswith("all-")), "claude-sonnet-4-5")
