"""RequestSummary: one served call as plain data, on its way from the data plane through the journal to RequestRecord."""

from typing import TYPE_CHECKING

import msgspec


class AttemptNote(msgspec.Struct, kw_only=True, gc=False):
    """One try at one deployment. Milliseconds count from when the call came in.

    `route` is the public name that it was made for; `left_out` names what of the call this provider was not sent.
    """

    id: str
    deployment: str
    provider: str
    model: str
    started_ms: float
    first_byte_ms: float | None = None
    duration_ms: float = 0.0
    status: int = 0
    outcome: str = ""
    error_code: str = ""
    error_message: str = ""
    upstream_request_id: str = ""
    cost_nano: int | None = None
    route: str = ""
    left_out: list[str] = []


class LineNote(msgspec.Struct, gc=False):
    """One line of a price: how many of what, at what unit price."""

    kind: str
    count: int
    unit_pico: int
    amount_nano: int
    model: str


class RequestSummary(msgspec.Struct, kw_only=True, array_like=True, gc=False):
    """Field for field the columns of RequestRecord; `received_at` is epoch seconds. New fields go to the end: journals outlive releases."""

    id: str
    received_at: float
    first_byte_ms: float | None = None
    duration_ms: float = 0.0
    gateway_ms: float = 0.0
    endpoint: str = ""
    is_stream: bool = False
    status: int = 0
    outcome: str = ""
    error_source: str = ""
    error_code: str = ""
    error_message: str = ""
    organisation_id: str = ""
    team_id: str = ""
    team_name: str = ""
    user_id: str = ""
    user_name: str = ""
    key_id: str = ""
    key_name: str = ""
    cost_centre: str = ""
    end_user: str = ""
    session_id: str = ""
    agent_id: str = ""
    tags: list[str] = []
    client: str = ""
    client_ip: str = ""
    route: str = ""
    provider: str = ""
    deployment_id: str = ""
    deployment_name: str = ""
    served_model: str = ""
    attempts: list[AttemptNote] = []
    upstream_request_id: str = ""
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    web_searches: int = 0
    cost_nano: int | None = None
    is_unpriced: bool = False
    is_estimated: bool = False
    price_lines: list[LineNote] = []
    tools: list[str] = []
    stop_reason: str = ""
    request_bytes: int = 0
    response_bytes: int = 0


# Columns that pass from the journal to the database as the JSON that they are.
UNREAD = ("attempts", "price_lines", "tools")

if TYPE_CHECKING:
    ReadSummary = RequestSummary
else:
    ReadSummary = msgspec.defstruct(
        "ReadSummary",
        [
            (one.name, msgspec.Raw, msgspec.Raw(b"[]"))
            if one.name in UNREAD
            else (one.name, one.type, msgspec.field(default=one.default, default_factory=one.default_factory))
            for one in msgspec.structs.fields(RequestSummary)
        ],
        kw_only=True,
        array_like=True,
        gc=False,
    )
