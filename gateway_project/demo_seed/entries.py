"""Calls of the demo's past → the entries that a gateway's journal would have of them: priced, with their budget windows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from audit.requests import AttemptNote, LineNote, RequestSummary
from billing.budget_book import BudgetBook
from billing.journal import Entry, Posting
from billing.limits import BudgetFinder, Spender
from billing.pricing import Cost, cost
from billing.snapshot import PriceBook
from gateway_project.demo_seed.calls import BYTES_PER_TOKEN, Call
from gateway_project.demo_seed.cast import PERSON, ROOM, DemoKey, full_name, house_of
from gateway_project.demo_seed.faults import network_of
from gateway_project.demo_seed.routes import NAMED, Place

GATEWAY_MS = 1.4


def spender_of(call: Call, key_id: str) -> Spender:
    key = call.key
    return Spender(key_id, key.person, key.room, ROOM[key.room].house, tuple(tags_of(key)), call.end_user, call.route)


def tags_of(key: DemoKey) -> list[str]:
    """Its own, then its team's: as the gateway puts them together."""
    return list(dict.fromkeys([*key.tags, *ROOM[key.room].tags]))


def server_of(call: Call) -> Place | None:
    """The deployment that answered, or failed last; None for a call that was refused before anything was sent."""
    fault, served = call.fault, NAMED[call.route].served
    tries = len(fault.reasons) + fault.is_survived
    return served[min(tries, len(served)) - 1] if tries else None


def cost_of(call: Call, prices: PriceBook) -> Cost | None:
    """What it cost; None where there is nothing to pay for."""
    place = server_of(call)
    return cost(prices, place.provider, place.model, call.usage, call.at) if place and call.fault.is_survived else None


@dataclass(frozen=True, slots=True)
class Writer:
    """Turns calls into entries. `ids` are those of the keys by name, `deployments` those of the deployments."""

    ids: Mapping[str, str]
    deployments: Mapping[str, str]
    prices: PriceBook
    budgets: BudgetBook
    finder: BudgetFinder = field(default_factory=BudgetFinder)

    def entry(self, call: Call) -> Entry:
        summary, place, price = self._summary(call), server_of(call), cost_of(call, self.prices)
        if place is None:
            return Entry(summary)
        summary.attempts = _attempts(call, price)
        self._add_served(summary, call, place)
        if price is None:
            return Entry(summary)
        summary.cost_nano, summary.is_unpriced = price.amount_nano, price.unpriced
        summary.price_lines = [LineNote(line.kind, line.count, line.unit_pico, line.amount_nano, line.model) for line in price.lines]
        posting = Posting(
            summary.attempts[-1].id, call.at, price.amount_nano, price.unpriced, False, place.provider, place.model, price.price_version
        )
        who = spender_of(call, self.ids[call.key.name])
        return Entry(summary, [posting], [one.key for one in self.finder.applying(who, self.budgets, call.at)])

    def _summary(self, call: Call) -> RequestSummary:
        key, fault = call.key, call.fault
        room, person = ROOM[key.room], PERSON.get(key.person)
        lost_ms = sum(range(len(fault.reasons) + 1)) * 400.0
        return RequestSummary(
            id=call.id,
            received_at=call.at,
            first_byte_ms=call.wait_ms + lost_ms if fault.is_survived else None,
            duration_ms=GATEWAY_MS + lost_ms + call.wait_ms + call.ran_ms,
            gateway_ms=GATEWAY_MS + call.number % 160 / 100,
            endpoint=call.endpoint,
            is_stream=call.is_stream,
            status=fault.status,
            outcome=fault.outcome,
            error_source=fault.source,
            error_code=fault.code,
            error_message=fault.message,
            organisation_id=house_of(key).id,
            team_id=room.id,
            team_name=room.name,
            user_id=key.person,
            user_name=full_name(person) if person else "",
            key_id=self.ids[key.name],
            key_name=key.name,
            cost_centre=room.cost_centre,
            end_user=call.end_user,
            session_id=call.session,
            agent_id=call.agent,
            tags=tags_of(key),
            client=key.client,
            client_ip=network_of(call),
            route=call.route,
            cost_nano=0,
            request_bytes=max(600, call.asked_tokens * BYTES_PER_TOKEN),
            response_bytes=300 + call.usage.output_tokens * BYTES_PER_TOKEN * (8 if call.is_stream else 1),
        )

    def _add_served(self, summary: RequestSummary, call: Call, place: Place) -> None:
        usage = call.usage
        summary.provider, summary.served_model = place.provider, place.model
        summary.deployment_id, summary.deployment_name = self.deployments[place.name], place.name
        summary.upstream_request_id = summary.attempts[-1].upstream_request_id
        summary.input_tokens, summary.output_tokens, summary.thinking_tokens = (
            usage.input_tokens,
            usage.output_tokens,
            usage.thinking_tokens,
        )
        summary.cache_read_tokens = usage.cache_read_tokens
        summary.cache_write_5m_tokens, summary.cache_write_1h_tokens = usage.cache_write_5m_tokens, usage.cache_write_1h_tokens
        summary.tools, summary.stop_reason = call.tools, call.stop_reason


def _attempts(call: Call, price: Cost | None) -> list[AttemptNote]:
    """The failed ones, each some hundred milliseconds, then the one that went well."""
    served, started, notes = NAMED[call.route].served, GATEWAY_MS, list[AttemptNote]()
    for number, (status, code, message) in enumerate(call.fault.reasons):
        note = _note(call, served[min(number, len(served) - 1)], number, started)
        note.status, note.outcome, note.error_code, note.error_message = status, "failed", code, message
        note.duration_ms = note.first_byte_ms = 400.0 * (number + 1)
        notes.append(note)
        started += note.duration_ms
    if price is not None:
        note = _note(call, served[min(len(notes), len(served) - 1)], len(notes), started)
        note.status, note.outcome, note.cost_nano = 200, call.fault.outcome, price.amount_nano
        note.first_byte_ms, note.duration_ms = started + call.wait_ms, call.wait_ms + call.ran_ms
        notes.append(note)
    return notes


def _note(call: Call, place: Place, number: int, started_ms: float) -> AttemptNote:
    return AttemptNote(
        id=f"{call.id}.{number + 1}",
        deployment=place.name,
        provider=place.provider,
        model=place.model,
        started_ms=started_ms,
        route=call.route,
        upstream_request_id=f"req_011C{call.number + number:016x}",
    )
