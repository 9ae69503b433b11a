"""Bedrock's InvokeModel of Claude: Messages with the model and the wish for a stream in the path, in AWS's wrapping.

The body is Anthropic's less `model` and `stream`, plus `anthropic_version` and `anthropic_beta`; streams are AWS event streams.
"""

import base64

import msgspec

from routing.dialects.aws_side import AwsSide
from routing.dialects.base import EVENTSTREAM, NOTHING, UNREADABLE, Ask, BadBody, PathAsk, Reader
from routing.dialects.invoke_reader import InvokeReader
from routing.dialects.messages import Messages, checked_model, max_tokens_in, top_level

IN_PATH = frozenset({"model", "stream"})

_encoder = msgspec.json.Encoder()
_betas = msgspec.json.Decoder(list[str])


class Invoke(AwsSide, Messages):
    name = "invoke"
    family = "messages"
    framing = EVENTSTREAM

    def read(self, body: bytes, path: PathAsk = NOTHING, *, counts_only: bool = False) -> Ask:
        fields = top_level(body)
        check_wrapped(fields)
        return Ask(fields, checked_model(path.model), bool(path.is_stream), 0 if counts_only else max_tokens_in(fields), len(body))

    def write(self, ask: Ask, model: str) -> bytes:
        return _encoder.encode({name: value for name, value in ask.fields.items() if name not in IN_PATH})

    def reader(self) -> Reader:  # type: ignore[override]  # other than Messages' own, as its framing is
        return InvokeReader()

    def shows_its_length(self, ask: Ask, betas: bytes) -> bool:
        return super().shows_its_length(ask, b",".join([betas, *(beta.encode() for beta in betas_in(ask))]))


class CountTokens(Invoke):
    """Bedrock's CountTokens: the body of an InvokeModel, packed, or a Converse's. `write` gives it unpacked; its provider packs it."""

    name = "count_tokens_aws"

    def read(self, body: bytes, path: PathAsk = NOTHING, *, counts_only: bool = False) -> Ask:
        fields = top_level(body)
        try:
            given = _count.decode(fields.get("input", b"{}"))
        except UNREADABLE:
            raise BadBody("input: one of invokeModel and converse is needed") from None
        if given.invokeModel is not None:
            fields = top_level(given.invokeModel.body)
            check_wrapped(fields)
        elif not bytes(given.converse):
            raise BadBody("input: one of invokeModel and converse is needed")
        return Ask(fields, checked_model(path.model), False, 0, len(body))


def check_wrapped(fields: dict[str, msgspec.Raw]) -> None:
    """What stands in the path must not stand in the body as well."""
    if "messages" not in fields:
        raise BadBody("messages: Field required")
    for name in IN_PATH & fields.keys():
        raise BadBody(f"{name}: Extra inputs are not permitted")


def packed(body: bytes) -> bytes:
    """The body of a CountTokens for the body of an InvokeModel."""
    return _encoder.encode({"input": {"invokeModel": {"body": base64.b64encode(body).decode()}}})


def betas_in(ask: Ask) -> list[str]:
    """The betas that a body in a cloud's wrapping names."""
    raw = ask.fields.get("anthropic_beta")
    try:
        named = _betas.decode(raw) if raw is not None else []
    except UNREADABLE:
        return []
    return [beta for beta in named if beta.isascii() and beta.isprintable()]


class _Packed(msgspec.Struct):
    body: bytes


class _Count(msgspec.Struct):
    invokeModel: _Packed | None = None
    converse: msgspec.Raw = msgspec.Raw(b"")


_count = msgspec.json.Decoder(_Count)
INVOKE = Invoke()
COUNT_TOKENS = CountTokens()
