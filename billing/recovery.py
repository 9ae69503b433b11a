"""An opening without a close → the Entry that is posted for it: an estimate, marked, with outcome interrupted."""

from collections.abc import Iterable

from audit.requests import AttemptNote, LineNote, RequestSummary
from billing.journal import Entry, Opened, Posting
from billing.pricing import cost
from billing.snapshot import PriceBook
from billing.usage import Usage


def estimated(attempt_id: str, opened: Opened, granted: int, prices: PriceBook) -> Entry:
    """What the attempt may have cost: input by its size, output by its last grant, at the prices of its time."""
    usage = Usage(input_tokens=opened.input_tokens, output_tokens=max(opened.output_tokens, granted), estimated=True)
    price = cost(prices, opened.provider, opened.model, usage, opened.received_at)
    amount = None if price.unpriced else price.amount_nano
    note = AttemptNote(
        id=attempt_id,
        deployment=opened.deployment_name,
        provider=opened.provider,
        model=opened.model,
        started_ms=0.0,
        outcome="interrupted",
        cost_nano=amount,
    )
    summary = RequestSummary(
        id=opened.request_id,
        received_at=opened.received_at,
        endpoint=opened.endpoint,
        is_stream=opened.is_stream,
        outcome="interrupted",
        error_source="gateway",
        error_code="gateway_died",
        error_message="The gateway's process ended during this call; its cost is an estimate.",
        organisation_id=opened.organisation_id,
        team_id=opened.team_id,
        team_name=opened.team_name,
        user_id=opened.user_id,
        user_name=opened.user_name,
        key_id=opened.key_id,
        key_name=opened.key_name,
        cost_centre=opened.cost_centre,
        client_ip=opened.client_ip,
        route=opened.route,
        provider=opened.provider,
        deployment_id=opened.deployment_id,
        deployment_name=opened.deployment_name,
        served_model=opened.model,
        attempts=[note],
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_nano=amount,
        is_unpriced=price.unpriced,
        is_estimated=True,
        price_lines=[LineNote(line.kind, line.count, line.unit_pico, line.amount_nano, line.model) for line in price.lines],
        request_bytes=opened.request_bytes,
    )
    posting = Posting(
        attempt_id, opened.received_at, price.amount_nano, price.unpriced, True, opened.provider, opened.model, price.price_version
    )
    return Entry(summary, [posting], opened.windows)


def merged(attempts: Iterable[tuple[bytes, Entry]]) -> list[tuple[bytes, Entry]]:
    """One entry per call, with its lines: that of its last attempt, and the cost of every attempt that was opened."""
    calls: dict[str, tuple[bytes, Entry]] = {}
    for line, entry in attempts:
        call = entry.summary
        known = calls.get(call.id)
        if known is not None:
            earlier = known[1]
            line = known[0] + b"\n" + line
            entry.postings = earlier.postings + entry.postings
            call.attempts = earlier.summary.attempts + call.attempts
            call.price_lines = earlier.summary.price_lines + call.price_lines
            call.is_unpriced = call.is_unpriced or earlier.summary.is_unpriced
            call.cost_nano = None if call.is_unpriced else sum(one.amount_nano for one in entry.postings)
        calls[call.id] = (line, entry)
    return list(calls.values())
