"""Takes the thinking out of a Messages conversation that goes on with another account: its signatures hold for the one that made it.

Nothing else changes: every turn and block that stays is the bytes it was. Pure.
"""

import msgspec

from routing.dialects.base import UNREADABLE

THINKING = frozenset({"thinking", "redacted_thinking"})

_turns = msgspec.json.Decoder(list[msgspec.Raw])
_turn = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encoder = msgspec.json.Encoder()


class _Role(msgspec.Struct):
    role: str = ""


class _Block(msgspec.Struct):
    type: str = ""


class _Mode(msgspec.Struct):
    type: str = ""


_role = msgspec.json.Decoder(_Role)
_blocks = msgspec.json.Decoder(list[msgspec.Raw])
_block = msgspec.json.Decoder(_Block)
_mode = msgspec.json.Decoder(_Mode)


def is_bound(fields: dict[str, msgspec.Raw]) -> bool:
    """Whether thinking in these messages may be bound to an account. Models that still take a thinking budget bind none, and refuse a
    tool call whose thinking is gone.
    """
    if b"thinking" not in bytes(fields.get("messages", b"")):
        return False
    try:
        return "thinking" not in fields or _mode.decode(fields["thinking"]).type != "enabled"
    except UNREADABLE:
        return True


def count_turns(messages: msgspec.Raw) -> int:
    try:
        return len(_turns.decode(messages))
    except UNREADABLE:
        return 0


def strip(messages: msgspec.Raw, before: int) -> msgspec.Raw:
    """The messages with no thinking in the assistant's turns before this one. A turn of nothing but thinking goes as a whole.

    What cannot be read stays as it is, for the provider to judge.
    """
    try:
        turns = _turns.decode(messages)
    except UNREADABLE:
        return messages
    kept: list[msgspec.Raw] = []
    for number, turn in enumerate(turns):
        stripped = _without_thinking(turn) if number < before else turn
        if stripped is not None:
            kept.append(stripped)
    if len(kept) == len(turns) and all(new is old for new, old in zip(kept, turns, strict=True)):
        return messages
    return msgspec.Raw(_encoder.encode(kept))


def _without_thinking(turn: msgspec.Raw) -> msgspec.Raw | None:
    """The very same turn where there is no thinking in it; None where there is nothing else."""
    try:
        if b"thinking" not in bytes(turn) or _role.decode(turn).role != "assistant":
            return turn
        fields = _turn.decode(turn)
        blocks = _blocks.decode(fields["content"])
        kept = [block for block in blocks if _block.decode(block).type not in THINKING]
    except (*UNREADABLE, KeyError):
        return turn
    if len(kept) == len(blocks):
        return turn
    if not kept:
        return None
    fields["content"] = msgspec.Raw(_encoder.encode(kept))
    return msgspec.Raw(_encoder.encode(fields))
