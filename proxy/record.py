"""Exchange → journal Entry: the request record's columns and the postings of its attempts."""

from typing import TYPE_CHECKING

from audit.requests import LineNote, RequestSummary
from billing.estimate import input_tokens_guess
from billing.journal import Entry, Opened, Posting
from billing.pricing import Cost
from billing.usage import Usage

if TYPE_CHECKING:
    from proxy.client import Client
    from proxy.exchange import Attempt, Exchange

Charge = tuple["Attempt", Usage, Cost]

MAX_TAGS = 20


def opened(exchange: "Exchange", attempt: "Attempt") -> Opened:
    """What is on record before an attempt's first byte goes upstream."""
    caller, ask, deployment = exchange.caller, exchange.ask, attempt.deployment
    return Opened(
        exchange.request_id,
        exchange.received_at,
        exchange.endpoint.name,
        ask.is_stream if ask else False,
        exchange.request_bytes,
        input_tokens_guess(exchange.request_bytes),
        attempt.grant,
        ask.model if ask else "",
        attempt.provider.name,
        deployment.id,
        deployment.name,
        attempt.model,
        caller.organisation_id,
        caller.team_id,
        caller.team_name,
        caller.user_id,
        caller.user_name,
        caller.key_id,
        caller.key_name,
        caller.cost_centre,
        exchange.client_ip,
        exchange.windows,
    )


def entry(exchange: "Exchange", charges: "list[Charge]") -> Entry:
    """The call at its end: the record's columns, and what each attempt that cost something posts."""
    caller, ask, error = exchange.caller, exchange.ask, exchange.error
    end_user, session = exchange.dialect.user_and_session(ask) if ask else ("", "")
    client = exchange.client
    summary = RequestSummary(
        id=exchange.request_id,
        received_at=exchange.received_at,
        first_byte_ms=exchange.first_byte,
        duration_ms=(duration := exchange.elapsed_ms()),
        gateway_ms=max(0.0, duration - exchange.waited_s * 1000),
        endpoint=exchange.endpoint.name,
        is_stream=ask.is_stream if ask else False,
        status=exchange.status,
        outcome=exchange.outcome or "failed",
        error_source=error.source if error else exchange.error_source,
        error_code=error.code if error else exchange.error_code,
        error_message=error.message[:1000] if error else exchange.error_message[:1000],
        organisation_id=caller.organisation_id,
        team_id=caller.team_id,
        team_name=caller.team_name,
        user_id=caller.user_id,
        user_name=caller.user_name,
        key_id=caller.key_id,
        key_name=caller.key_name,
        cost_centre=caller.cost_centre,
        end_user=end_user_in(client) or end_user,
        session_id=client.header(b"x-claude-code-session-id")[:100] or session or client.header(b"x-litellm-session-id")[:100],
        agent_id=client.header(b"x-claude-code-agent-id")[:100],
        tags=tags(client, caller.tags, ask.tags if ask else ()),
        client=client_name(client),
        client_ip=exchange.client_ip,
        route=ask.model if ask else "",
        cost_nano=0,
        request_bytes=exchange.request_bytes,
        response_bytes=client.sent_bytes,
    )
    if exchange.attempts:
        _add_served(summary, exchange)
    postings = [_charge(summary, exchange, *charge) for charge in charges]
    if summary.is_unpriced:
        summary.cost_nano = None
    return Entry(summary, postings, exchange.windows if postings else [])


def _add_served(summary: RequestSummary, exchange: "Exchange") -> None:
    last = exchange.attempts[-1]
    seen = last.meter.reader
    summary.provider = last.provider.name
    summary.deployment_id = last.deployment.id
    summary.deployment_name = last.deployment.name
    summary.served_model = seen.model[:200] or last.model
    summary.upstream_request_id = last.note.upstream_request_id
    summary.tools = seen.tools
    summary.stop_reason = seen.stop_reason[:40]
    summary.attempts = [attempt.note for attempt in exchange.attempts]


def _charge(summary: RequestSummary, exchange: "Exchange", attempt: "Attempt", usage: Usage, cost: Cost) -> Posting:
    """Adds one attempt's usage and cost to the record, so that its lines add up to its total, and gives the ledger's entry."""
    summary.input_tokens += usage.input_tokens
    summary.cache_read_tokens += usage.cache_read_tokens
    summary.cache_write_5m_tokens += usage.cache_write_5m_tokens
    summary.cache_write_1h_tokens += usage.cache_write_1h_tokens
    summary.output_tokens += usage.output_tokens
    summary.thinking_tokens += usage.thinking_tokens
    summary.web_searches += usage.web_search_requests
    summary.is_estimated = summary.is_estimated or usage.estimated
    summary.is_unpriced = summary.is_unpriced or cost.unpriced
    summary.cost_nano = (summary.cost_nano or 0) + cost.amount_nano
    lines = [LineNote(line.kind, line.count, line.unit_pico, line.amount_nano, line.model) for line in cost.lines]
    summary.price_lines = summary.price_lines + lines if summary.price_lines else lines
    attempt.note.cost_nano = None if cost.unpriced else cost.amount_nano
    return Posting(
        attempt.note.id,
        exchange.received_at,
        cost.amount_nano,
        cost.unpriced,
        usage.estimated,
        attempt.provider.name,
        attempt.model,
        cost.price_version,
    )


def end_user_in(client: "Client") -> str:
    """Whom the call's headers name as end user: that counts more than what its body says."""
    headers = client.headers
    if b"x-litellm-end-user-id" not in headers and b"x-litellm-customer-id" not in headers:
        return ""
    return (client.header(b"x-litellm-customer-id") or client.header(b"x-litellm-end-user-id"))[:200]


def tags(client: "Client", own: tuple[str, ...], asked: tuple[str, ...] = ()) -> list[str]:
    """The key's and team's tags, then those of the call: in its body, in its x-litellm-tags header."""
    sent = client.headers.get(b"x-litellm-tags", b"")
    if not (sent or asked):
        return list(own)
    named = [tag.strip()[:100] for tag in sent.decode("utf-8", "replace").split(",")]
    return list(dict.fromkeys([*own, *asked, *filter(None, named)]))[:MAX_TAGS]


def client_name(client: "Client") -> str:
    """The first product of the user agent: `claude-cli/2.1.329`."""
    return client.header(b"user-agent").split(" ", 1)[0][:100]
