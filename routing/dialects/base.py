"""What a dialect is to the walk: a wire format of model calls, read only where we act on it. Pure.

Dialects of one family say the same thing in other wrappings (Messages with the model in the body, in the path, in an event stream): between
them a call needs no translation, only `write` and, where the framing differs, a new frame for each event.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import msgspec

from billing.usage import Usage
from routing.dialects.pieces import Body

Fields = Sequence[tuple[bytes, bytes]]

SSE, EVENTSTREAM, ARRAY = "sse", "eventstream", "array"
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
# The output that is held for a call that names no cap, tokens per answer.
UNCAPPED_OUTPUT = 16_384


class BadBody(ValueError):
    """A body that cannot be served; the text is for the caller."""


# Where the bodies of all dialects hold what was said so far: nearly all of their bytes.
CONVERSATION = frozenset(
    {"messages", "system", "tools", "toolConfig", "input", "instructions", "prompt", "contents", "systemInstruction", "system_instruction"}
)


@dataclass(slots=True)
class Ask:
    """What a caller asks for. `fields` is the body's top level, raw; `max_tokens` is what the answers together may hold at most.

    `max_tokens` is 0 for what makes no output (count_tokens, embeddings). `lost` names what a translation had to leave out, `tags` what the
    caller counts the call under.
    """

    fields: dict[str, msgspec.Raw]
    model: str
    is_stream: bool
    max_tokens: int
    size: int
    lost: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """A provider's refusal. `kind` is an error type of Anthropic's (`rate_limit_error`); `status` what our caller gets to see."""

    status: int
    kind: str
    message: str
    code: str = ""
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class PathAsk:
    """What the path says where the body does not: the model, and whether the answer is a stream (None: the body tells)."""

    model: str = ""
    is_stream: bool | None = None


NOTHING = PathAsk()


class Filter(Protocol):
    """Takes out of an answer's stream what the caller did not ask for. Both return bytes to pass on."""

    def feed(self, chunk: bytes) -> bytes: ...

    def end(self) -> bytes: ...


@dataclass(slots=True)
class StreamError:
    type: str = ""
    message: str = ""


class Reader(Protocol):
    """Reads one answer's figures, event by event or whole. Only watches: what it cannot read, it passes over."""

    has_started: bool
    has_ended: bool
    has_final_usage: bool
    model: str
    stop_reason: str
    tools: list[str]
    error: StreamError | None

    @property
    def marks(self) -> re.Pattern[bytes] | None:
        """Without these bytes a run of SSE events holds nothing but pieces of content, `frame_bytes` around each. None: look at all."""
        ...

    @property
    def frame_bytes(self) -> int: ...

    def see(self, name: str, data: bytes) -> bool:
        """One event (its name may be empty). True when it was a piece of content."""
        ...

    def see_whole(self, body: bytes, headers: Fields) -> bool:
        """A whole JSON answer. False when this is not what was expected, so that nothing is known of it."""
        ...

    def usage(self) -> Usage:
        """What has been told so far."""
        ...


@dataclass(slots=True)
class Seen:
    """The state that all readers have; a dialect's reader adds its own."""

    has_started: bool = False
    has_ended: bool = False
    has_final_usage: bool = False
    model: str = ""
    stop_reason: str = ""
    tools: list[str] = field(default_factory=list)
    error: StreamError | None = None

    def note_tool(self, name: str) -> None:
        if name and name not in self.tools and len(self.tools) < 50:
            self.tools.append(name[:100])


class Dialect:
    """One wire format, both as callers speak it and as providers do. Instances hold no state."""

    name: ClassVar[str] = ""
    family: ClassVar[str] = ""
    framing: ClassVar[str] = SSE
    # Whose way of putting errors: "anthropic", "openai", "aws", "google". The same on both sides means that an error passes as it came.
    errors: ClassVar[str] = ""
    stream_type: ClassVar[bytes] = b"text/event-stream"
    # The largest event of a stream that is read; what is longer is passed on unread.
    longest_event: ClassVar[int] = 1024 * 1024
    # Under which further name these clients look for the id of a request; empty where `request-id` is what they know.
    id_header: ClassVar[bytes] = b""
    # What may be put into a silent stream, at an event's boundary; empty where nothing may.
    ping: ClassVar[bytes] = b""
    # Statuses of ours that mean something else to these callers.
    statuses: ClassVar[Mapping[int, int]] = {}

    # ── the caller's side
    def read(self, body: bytes, path: PathAsk = NOTHING, *, counts_only: bool = False) -> Ask:
        """The call in a body; raises BadBody with the words the vendor's API uses."""
        raise NotImplementedError

    def error_body(self, status: int, message: str, request_id: str, *, error_type: str = "", code: str = "") -> bytes:
        """A refusal as the vendor's clients read it. `error_type` is one of Anthropic's, empty: by status."""
        raise NotImplementedError

    def id_headers(self, request_id: str) -> list[tuple[bytes, bytes]]:
        """Our id of the call, as these clients look for it."""
        told = request_id.encode()
        return [(b"request-id", told), (self.id_header, told)] if self.id_header else [(b"request-id", told)]

    def error_headers(self, status: int, error_type: str = "") -> list[tuple[bytes, bytes]]:
        return [(b"content-type", b"application/json")]

    def error_event(self, status: int, message: str, request_id: str, *, error_type: str = "", code: str = "") -> bytes:
        """The same inside a stream that has begun; it is the stream's last event."""
        raise NotImplementedError

    # ── the provider's side
    def write(self, ask: Ask, model: str) -> Body:
        """The body to send: every value as it came, but the model's name."""
        raise NotImplementedError

    def read_error(self, status: int, headers: Fields, body: bytes) -> Told:
        raise NotImplementedError

    def reader(self) -> Reader:
        raise NotImplementedError

    def answer_filter(self, ask: Ask) -> Filter | None:
        """For a streamed answer in this very dialect: what removes the events that are there only because `write` asked for them."""
        return None

    # ── what holding and recording want to know
    def pricing_hints(self, ask: Ask) -> dict[str, str]:
        """What of the request moves its price: `speed`, `tier` and `geo`, where it names them."""
        return {}

    def shows_its_length(self, ask: Ask, betas: bytes) -> bool:
        """Whether a stream's length can be told from its bytes."""
        return False

    def lower_max_tokens(self, ask: Ask, tokens: int) -> bool:
        """Lowers the cap on output; False where that cannot be."""
        return False

    def user_and_session(self, ask: Ask) -> tuple[str, str]:
        """(end user, session id), where the body names them."""
        return "", ""
