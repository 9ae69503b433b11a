"""Money set aside for an attempt before a byte of it goes upstream, and kept ahead of what its stream generates.

Where closing the connection ends the bill, a stream is granted its output in steps, so that a caller that asks for 128,000 tokens does not
freeze a budget; everywhere else the whole of max_tokens is held.
"""

import asyncio
import math
import time
from typing import TYPE_CHECKING

import msgspec

from billing.bank import Exceeded, TreasuryClosed
from billing.estimate import (
    ANYHOW,
    CONTEXT_TOKENS,
    HoldRates,
    Manner,
    hold_nano,
    hold_rates,
    input_tokens_bound,
    input_tokens_guess,
    unseen_in,
)
from billing.holds import Purse
from billing.money import money, usd
from billing.standing import sentence
from proxy.errors import ClientError, GatewayError, NotReady, not_on_record
from proxy.meter import BYTES_PER_TOKEN
from proxy.rates import tokens_of
from routing.dialects.base import Ask

if TYPE_CHECKING:
    from proxy.exchange import Attempt, Exchange

GRANT_STEP = 4096
# A grant is extended when this much of it is used, so that the money is there before the tokens are.
EXTEND_AT = 0.75
LEAST_OUTPUT = 1024
# Fields that bring in what lies at the provider.
ELSEWHERE = frozenset({"previous_response_id", "conversation", "prompt", "container", "cachedContent"})
TRY_AGAIN_S = 5


async def hold(exchange: "Exchange", attempt: "Attempt") -> None:
    """Sets the attempt's output grant and holds its cost in every budget that may refuse; raises ClientError or GatewayError."""
    ask = exchange.ask
    if ask is None:
        return
    attempt.grant = _first_grant(exchange, attempt)
    bank = exchange.plane.bank
    purses = bank.purses_of(exchange.applying)
    if not purses:
        attempt.enough = _threshold(attempt, ask.max_tokens)
        return
    hints = exchange.dialect.pricing_hints(ask)
    manner = Manner(**hints) if hints else ANYHOW
    rates = hold_rates(exchange.snapshot.prices, attempt.provider.name, attempt.priced_model, exchange.received_at, manner)
    if rates is None:
        text = f"Model {attempt.model} has no price, so a budget cannot bound it. Gateway's side. Ask your administrator to set one."
        raise NotReady(403, "price_unknown", text)
    attempt.rates = rates
    is_clamping = False
    for purse in purses:
        row = purse.row
        if row.mode == "strict":
            attempt.is_strict = True
        if row.clamp_output:
            is_clamping = True
    tokens = _most_input(exchange, ask) if attempt.is_strict else input_tokens_guess(exchange.request_bytes)
    try:
        if is_clamping:
            await bank.meet(purses)
            _clamp(exchange, attempt, purses, tokens, rates)
        amount = hold_nano(rates, tokens, attempt.grant)
        attempt.hold = bank.try_hold(purses, amount) or await bank.hold(purses, amount)
    except Exceeded as exceeded:
        raise refusal(exchange, exceeded.purse, amount) from None
    except TreasuryClosed:
        raise _unavailable() from None


def _most_input(exchange: "Exchange", ask: Ask) -> int:
    """More input than there can be."""
    if not ELSEWHERE.isdisjoint(ask.fields):
        return CONTEXT_TOKENS
    return input_tokens_bound(exchange.request_bytes, unseen_in(map(bytes, ask.fields.values())))


async def secure(exchange: "Exchange") -> None:
    """A strict budget is kept through a power cut too: the attempt's opening is on the disk before anything is sent."""
    try:
        exchange.plane.journal.commit()
        await exchange.plane.journal.flush()
    except OSError as error:
        raise not_on_record() from error


def _first_grant(exchange: "Exchange", attempt: "Attempt") -> int:
    ask = exchange.ask
    if ask is None:
        return 0
    betas = exchange.client.headers.get(b"anthropic-beta", b"")
    in_steps = ask.is_stream and attempt.provider.cancel_stops_billing and exchange.dialect.shows_its_length(ask, betas)
    return min(ask.max_tokens, GRANT_STEP) if in_steps else ask.max_tokens


def _clamp(exchange: "Exchange", attempt: "Attempt", purses: list[Purse], input_tokens: int, rates: HoldRates) -> None:
    """Near the end of a budget that wants it, max_tokens is lowered to what is left instead of a refusal or a cut in the middle."""
    ask = exchange.ask
    clamping = [purse for purse in purses if purse.row.clamp_output]
    if ask is None or not clamping or not rates.output_pico:
        return
    left_nano = min(purse.free + purse.left for purse in clamping)
    if left_nano >= hold_nano(rates, input_tokens, ask.max_tokens):
        return
    tokens = (left_nano - hold_nano(rates, input_tokens, 0)) * 1000 // rates.output_pico
    if tokens >= LEAST_OUTPUT and exchange.dialect.lower_max_tokens(ask, tokens):
        exchange.clamped_to = tokens
        attempt.grant = min(attempt.grant, tokens)


def keep_up(exchange: "Exchange", attempt: "Attempt") -> None:
    """Looks at a stream that has passed the mark set for it: its input is known now, or its grant is nearly used.

    Money that is not at hand is asked for while the stream goes on, for the provider does not wait; only a grant that is used up ends it.
    """
    ask, meter = exchange.ask, attempt.meter
    if ask is None:
        return
    if attempt.hold is not None and not attempt.is_tuned:
        if not meter.has_started:
            return
        _tune(exchange, attempt)
    while meter.text_bytes >= _threshold(attempt, ask.max_tokens) and not meter.has_ended:
        step = min(GRANT_STEP, ask.max_tokens - attempt.grant)
        if not _has_money(exchange, attempt, step):
            if meter.text_bytes >= attempt.grant * BYTES_PER_TOKEN:
                raise _outgrown(exchange, attempt)
            attempt.enough = -1.0
            return
        _extend(exchange, attempt, step)
    attempt.enough = _threshold(attempt, ask.max_tokens)


def _has_money(exchange: "Exchange", attempt: "Attempt", step: int) -> bool:
    """Whether the hold has grown by a step; if not at once, it is asked for on the side."""
    hold, rates = attempt.hold, attempt.rates
    if hold is None or rates is None:
        return True
    asked, attempt.asked = attempt.asked, None
    if asked is not None and not asked.done():
        attempt.asked = asked
        return False
    if asked is not None and asked.result():
        return True
    more = hold_nano(rates, 0, step)
    if hold.extend(more):
        return True
    attempt.asked = asyncio.create_task(exchange.plane.bank.extend(hold, more))
    return False


def _threshold(attempt: "Attempt", most: int) -> float:
    return math.inf if attempt.grant >= most else attempt.grant * EXTEND_AT * BYTES_PER_TOKEN


def _tune(exchange: "Exchange", attempt: "Attempt") -> None:
    """The provider has told what the input was: most of it may have come from its cache."""
    attempt.is_tuned = True
    hold, rates = attempt.hold, attempt.rates
    if hold is None or rates is None:
        return
    known = msgspec.structs.replace(attempt.meter.usage(), output_tokens=0)
    if exchange.slot is not None:
        exchange.slot.settle(tokens_of(known) + attempt.grant, time.monotonic())
    wanted = exchange.price(attempt, known).amount_nano + hold_nano(rates, 0, attempt.grant)
    if wanted < hold.amount:
        hold.shrink(hold.amount - wanted)
    else:
        hold.extend(wanted - hold.amount)


def _extend(exchange: "Exchange", attempt: "Attempt", step: int) -> None:
    try:
        exchange.plane.journal.extend(attempt.note.id, attempt.grant + step)
    except OSError as error:
        raise not_on_record() from error
    attempt.grant += step


def _outgrown(exchange: "Exchange", attempt: "Attempt") -> ClientError:
    purses = attempt.hold.purses if attempt.hold is not None else []
    return refusal(exchange, min(purses, key=lambda purse: purse.free), 0, is_under_way=True)


def refusal(exchange: "Exchange", purse: Purse, amount: int, *, is_under_way: bool = False) -> ClientError:
    """429 billing_error with x-should-retry false for money that is spent: the text is shown and the client does not hammer.

    Where only calls under way are in the way, an ordinary 429: a later try may do.
    """
    standing = exchange.plane.bank.standing(purse)
    told = sentence(standing, purse.row.name)
    if is_under_way:
        told += " This answer has used up what was left, so it ends here."
    elif purse.may_get(amount):
        text = f"{told} Your side. The rest is held by calls under way; try again when they have ended."
        return ClientError(429, "budget_held", text, retry_after_s=TRY_AGAIN_S)
    need = f" This call may cost up to {money(amount)}." if standing.left_nano and not is_under_way else ""
    resets = standing.resets_at
    error = ClientError(
        429,
        "budget_exceeded",
        f"{told}{need} Your side. " + ("Wait, or ask for it to be raised." if resets else "Ask for it to be raised."),
        retry_after_s=max(1, math.ceil(resets - exchange.received_at)) if resets else None,
        error_type="billing_error",
    )
    error.facts = {"spent": usd(standing.spent_nano), "amount": usd(standing.amount_nano)}
    return error


def _unavailable() -> GatewayError:
    text = "Budgets cannot be checked now, so the call is not made. Gateway's side. Try again; the administrator sees the details."
    return GatewayError(503, "budget_unavailable", text, retry_after_s=TRY_AGAIN_S)
