"""Anthropic's own API as Amazon Bedrock serves it: Messages as they are, but refusals may be AWS's."""

import msgspec

from routing.dialects import aws_errors
from routing.dialects.base import UNREADABLE, Fields, Told
from routing.dialects.messages import Messages


class _Body(msgspec.Struct):
    error: msgspec.Raw = msgspec.Raw(b"")


_body = msgspec.json.Decoder(_Body)


class NativeMessages(Messages):
    name = "messages_on_bedrock"
    # Neither the one nor the other: what came is looked at.
    errors = "anthropic or aws"

    def read_error(self, status: int, headers: Fields, body: bytes) -> Told:
        try:
            is_anthropics = bool(bytes(_body.decode(body).error))
        except UNREADABLE:
            is_anthropics = False
        return super().read_error(status, headers, body) if is_anthropics else aws_errors.read_error(status, headers, body)


NATIVE = NativeMessages()
