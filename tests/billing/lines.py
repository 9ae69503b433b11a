"""Journal lines for tests: calls of one team, at round costs."""

from datetime import UTC, datetime

from audit.requests import AttemptNote, LineNote, RequestSummary
from billing.journal import Entry, Opened, Posting

AT = datetime(2026, 3, 14, 15, 9, 26, 535897, tzinfo=UTC).timestamp()
ESTIMATE = 4_500_000  # 1,000 tokens in and 100 out at the demo provider's prices

Windows = list[tuple[int, float]]


def opening(request: str, windows: Windows | None = None) -> Opened:
    return Opened(
        request_id=request,
        received_at=AT,
        endpoint="messages",
        is_stream=True,
        request_bytes=2500,
        input_tokens=1000,
        output_tokens=100,
        route="claude-sonnet",
        provider="demo",
        deployment_id="dep-1",
        deployment_name="sonnet",
        model="demo-sonnet",
        organisation_id="org-1",
        team_id="team-1",
        team_name="Search",
        user_id="user-1",
        user_name="alice",
        key_id="key-1",
        key_name="laptop",
        cost_centre="CC-7",
        client_ip="192.0.2.1",
        windows=windows or [],
    )


def closing(request: str, amounts: list[int], windows: Windows | None = None, *, at: float = AT) -> Entry:
    """One attempt for each amount; attempt ids are `<request>.1` and so on."""
    ids = [f"{request}.{number}" for number in range(1, len(amounts) + 1)]
    notes = [AttemptNote(id=each, deployment="sonnet", provider="demo", model="demo-sonnet", started_ms=0.5, status=200) for each in ids]
    summary = RequestSummary(
        id=request,
        received_at=at,
        first_byte_ms=12.5,
        endpoint="messages",
        is_stream=True,
        status=200,
        outcome="ok",
        organisation_id="org-1",
        team_id="team-1",
        user_id="user-1",
        key_id="key-1",
        cost_centre="CC-7",
        tags=["ci", "größe"],
        route="claude-sonnet",
        attempts=notes,
        cost_nano=sum(amounts),
        price_lines=[LineNote("input", 10, 3_000_000, 30_000, "demo-sonnet")],
    )
    postings = [
        Posting(each, at, amount, False, False, "demo", "demo-sonnet", "demo:sonnet") for each, amount in zip(ids, amounts, strict=True)
    ]
    return Entry(summary, postings, windows or [])
