"""The order of events in a stream of Messages, as one checker for everything that produces such streams."""

import json
from typing import Any

from routing.wire.sse import events

DELTAS = {
    "text": {"text_delta", "citations_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
    "redacted_thinking": set[str](),
}


def broken_rules(stream: bytes) -> list[str]:
    """What a client could stumble over, in the order found; empty for a good stream."""
    rules = _Rules()
    found = list(events(stream))
    for name, data in found:
        rules.see(name, json.loads(data))
    rules.expect(stream == b"" or stream.endswith(b"\n\n"), "ends inside an event")
    rules.expect(rules.state in {"stopped", "failed"}, f"ends {rules.state}")
    return rules.broken


class _Rules:
    def __init__(self) -> None:
        self.state = "unstarted"
        self.broken: list[str] = []
        self.index = -1
        self.open: str | None = None

    def expect(self, holds: bool, rule: str) -> None:
        self.broken += [] if holds else [rule]

    def see(self, name: str, data: dict[str, Any]) -> None:
        self.expect(data.get("type") == name, f"{name} is named {data.get('type')} within")
        self.expect(self.state not in {"stopped", "failed"}, f"{name} after the end")
        step = getattr(self, f"_{name}", None)
        self.expect(step is not None, f"unknown event {name}")
        if step is not None:
            step(data)

    def _message_start(self, data: dict[str, Any]) -> None:
        self.expect(self.state == "unstarted", "a second message_start")
        self.state = "started"
        message = data["message"]
        self.expect(message["content"] == [] and message["stop_reason"] is None, "message_start tells of the end")
        self.expect({"input_tokens", "output_tokens"} <= message["usage"].keys(), "message_start without usage")

    def _content_block_start(self, data: dict[str, Any]) -> None:
        self.expect(self.state == "started" and self.open is None, "a block inside a block, or out of the message")
        self.expect(data["index"] == self.index + 1, f"index {data['index']} after {self.index}")
        self.index, self.open = data["index"], data["content_block"]["type"]

    def _content_block_delta(self, data: dict[str, Any]) -> None:
        self.expect(self.open is not None and data["index"] == self.index, "a delta outside its block")
        self.expect(data["delta"]["type"] in DELTAS.get(self.open or "", set()), f"{data['delta']['type']} in {self.open}")

    def _content_block_stop(self, data: dict[str, Any]) -> None:
        self.expect(self.open is not None and data["index"] == self.index, "a block ends that is not open")
        self.open = None

    def _message_delta(self, data: dict[str, Any]) -> None:
        self.expect(self.state == "started" and self.open is None, "message_delta inside a block")
        self.expect(data["delta"]["stop_reason"] is not None and "output_tokens" in data["usage"], "message_delta without an end")
        self.state = "ending"

    def _message_stop(self, data: dict[str, Any]) -> None:
        self.expect(self.state == "ending", "message_stop before message_delta")
        self.state = "stopped"

    def _ping(self, data: dict[str, Any]) -> None:
        self.expect(self.state != "unstarted", "ping before message_start")

    def _error(self, data: dict[str, Any]) -> None:
        self.expect(bool(data["error"]["type"] and data["error"]["message"]), "an error without words")
        self.state = "failed"
