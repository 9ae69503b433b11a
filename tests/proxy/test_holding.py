"""Money set aside for a call: how much, when it grows, and how a call ends that outgrows what is left."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from billing.bank import Bank
from billing.budget_book import BudgetRow
from billing.holds import Purse
from billing.journal import Journal
from billing.snapshot import Price, PriceBook, Rates
from proxy.limits import Limits
from routing.providers.registry import PROVIDERS
from tests.fakes.messages import event, plain_usage
from tests.fakes.script import Gate
from tests.lines import whole_lines
from tests.proxy import talk as words
from tests.proxy.door import check_refusal, plane, send
from tests.proxy.house import House
from tests.proxy.rig import ALICE, Rig
from tests.proxy.talk import (
    CLOSE,
    DELTA,
    MODEL,
    OPEN,
    START,
    STOP,
    WHOLE,
    Player,
    dial,
    playing,
    read_to_end,
    read_until,
    request,
    wait_for,
)

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
# A token of output costs 1,000 nano-dollars, input nothing.
TOKEN = 1000
PRICE = Price("list-1", (Rates(0, TOKEN * 1000, 0, 0, 0),))
STEP = 4096
MANY = 128_000
ESTIMATES = "anthropic-beta: effort-2025-11-24,thinking-token-count-2026-05-13"
HIDDEN = {"type": "adaptive", "display": "omitted"}


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    rig = house.rig(limits)
    plane(rig).snapshot = replace(plane(rig).snapshot, prices=PriceBook({("anthropic", MODEL): (PRICE,)}))
    return rig


def ask(model: str = MODEL, **fields: Any) -> dict[str, object]:
    """A call that is not dearer for where it is made."""
    return words.ask(model, **{"inference_geo": "global", **fields})


def budget(tokens: int, mode: str = "hard", *, clamps: bool = False) -> BudgetRow:
    """Alice's key may spend so many tokens of output."""
    return BudgetRow(1, "key", "key-alice", tokens * TOKEN, "", "UTC", EPOCH, mode, clamp_output=clamps, name="alice")


def purse(rig: Rig) -> Purse:
    (found,) = rig.gateway.purses()
    return found


def text(tokens: int) -> bytes:
    """A delta that is counted as about so many tokens."""
    return event("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "x" * int(tokens * 2.5)}})


def thought(tokens: int) -> bytes:
    return event("content_block_delta", {"index": 0, "delta": {"type": "thinking_delta", "thinking": "", "estimated_tokens": tokens}})


def whole_answer() -> Player:
    body = json.dumps({"type": "message", "model": MODEL, "content": [], "stop_reason": "end_turn", "usage": plain_usage(9, 12)})
    return Player([body.encode()], content_type="application/json")


def talk(rig: Rig, player: Player, *headers: str, **fields: Any) -> tuple[int, bytes]:
    """Tokens' worth held when the provider has the call, and the answer's bytes."""
    player.hold, player.hold_after = Gate(), -1
    with playing(rig, player) as model, dial(rig) as client:
        body = json.dumps(ask(model, **{"stream": True, "max_tokens": MANY, **fields})).encode()
        client.sendall(request(body, f"x-api-key: {ALICE}", "connection: close", *headers))
        assert player.arrived.wait(10)
        held = purse(rig).held
        player.hold.open()
        return held // TOKEN, read_to_end(client)


def journal(rig: Rig, kind: str) -> list[str]:
    """The journal's lines of a kind."""
    folder = plane(rig).journal.folder
    lines = [line.decode() for path in sorted(folder.glob("*.log")) for line in whole_lines(path)]
    return [line for line in lines if line.startswith(kind + " ")]


def grants(rig: Rig, *pieces: bytes, max_tokens: int = MANY) -> list[int]:
    """What a stream's grant was extended to while it made these pieces."""
    gate = Gate()
    player = Player([START, OPEN, *pieces, CLOSE, DELTA, STOP], hold=gate, hold_after=len(pieces) + 3)
    with playing(rig, player) as model, dial(rig) as client:
        client.sendall(request(json.dumps(ask(model, stream=True, max_tokens=max_tokens)).encode()))
        read_until(client, CLOSE)
        found = [int(line.split()[-1]) for line in journal(rig, "x")]
        gate.open()
        read_until(client, b"message_stop")
    return found


def played(*pieces: bytes) -> Player:
    return Player([START, OPEN, *pieces, CLOSE, DELTA, STOP])


@pytest.mark.parametrize(
    ("fields", "headers", "held"),
    [
        ({}, (), STEP),
        ({"max_tokens": 50}, (), 50),
        ({"thinking": {"type": "disabled"}}, (), STEP),
        ({"thinking": HIDDEN}, (ESTIMATES,), STEP),
        ({"thinking": HIDDEN}, (), MANY),
        ({"thinking": {"type": "adaptive"}}, (ESTIMATES,), MANY),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000, "display": "summarized"}}, (ESTIMATES,), MANY),
        ({"thinking": "odd"}, (ESTIMATES,), MANY),
    ],
)
def test_stream_holds_a_step_where_its_length_can_be_told_and_else_all_it_may_make(
    rig: Rig, fields: dict[str, Any], headers: tuple[str, ...], held: int
) -> None:
    rig.gateway.budget(budget(10 * MANY))
    assert talk(rig, played(text(5)), *headers, **fields)[0] == held
    assert (purse(rig).held, purse(rig).settled) == (0, 12 * TOKEN)


def test_whole_answer_holds_all_it_may_make(rig: Rig) -> None:
    rig.gateway.budget(budget(10 * MANY))
    assert talk(rig, whole_answer(), stream=False)[0] == MANY
    assert (purse(rig).held, purse(rig).settled) == (0, 12 * TOKEN)


# R34
def test_provider_that_bills_on_is_held_in_full(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROVIDERS, "anthropic", replace(PROVIDERS["anthropic"], cancel_stops_billing=False))
    rig.gateway.budget(budget(10 * MANY))
    assert talk(rig, played(text(5)))[0] == MANY


@pytest.mark.parametrize("piece", [text, thought])
def test_grant_grows_before_it_is_used_up(rig: Rig, piece: Any) -> None:
    rig.gateway.budget(budget(10 * MANY))
    gate = Gate()
    player = Player([START, OPEN, piece(3000), piece(3000), event("ping", {}), CLOSE, DELTA, STOP], hold=gate, hold_after=5)
    with playing(rig, player) as model, dial(rig) as client:
        client.sendall(request(json.dumps(ask(model, stream=True, max_tokens=MANY, thinking=HIDDEN)).encode(), ESTIMATES))
        read_until(client, b"event: ping")
        wait_for(lambda: purse(rig).held == 2 * STEP * TOKEN)
        gate.open()
        read_until(client, b"message_stop")
    (line,) = journal(rig, "x")
    assert line.endswith(f" {2 * STEP}")


def test_grant_never_passes_what_the_call_may_make(rig: Rig) -> None:
    rig.gateway.budget(budget(10 * MANY))
    assert grants(rig, text(4000), text(900), max_tokens=5000) == [5000]


def test_grants_are_on_record_without_any_budget(rig: Rig) -> None:
    assert grants(rig, text(10_000), text(10_000)) == [number * STEP for number in range(2, 8)]


# R33
@pytest.mark.parametrize("mode", ["hard", "strict"])
def test_stream_that_outgrows_its_budget_ends_with_an_event_and_is_charged_what_it_made(rig: Rig, mode: str) -> None:
    rig.gateway.budget(budget(5000, mode))
    player = Player([START, OPEN, *[text(500)] * 100], lingers=True)
    held, answer = talk(rig, player)
    assert held == STEP
    assert b"event: error" in answer and b"The budget of key alice" in answer
    assert player.seen is not None and player.seen.finished.wait(10) and player.seen.aborted
    (entry,) = rig.gateway.closings()
    assert (entry.summary.outcome, entry.summary.error_code, entry.summary.is_estimated) == ("truncated", "budget_exceeded", True)
    assert entry.postings[0].amount_nano > 3 * STEP // 4 * TOKEN


def test_input_that_came_from_a_cache_frees_what_was_held_for_it(rig: Rig) -> None:
    price = Price("list-1", (Rates(1_000_000, 1_000_000, 0, 0, 0),))
    plane(rig).snapshot = replace(plane(rig).snapshot, prices=PriceBook({("anthropic", MODEL): (price,)}))
    rig.gateway.budget(budget(10 * MANY))
    gate = Gate()
    with playing(rig, Player(WHOLE, hold=gate, hold_after=2)) as model, dial(rig) as client:
        body = ask(model, stream=True, max_tokens=50, system="x" * 10_000)
        client.sendall(request(json.dumps(body).encode()))
        read_until(client, START)
        wait_for(lambda: purse(rig).held == (9 + 50) * TOKEN)
        gate.open()
        read_until(client, b"message_stop")
    (entry,) = rig.gateway.closings()
    assert (entry.summary.outcome, purse(rig).held) == ("ok", 0)


# R14
def test_unpriced_model_is_refused_where_a_budget_would_have_to_bound_it(rig: Rig) -> None:
    plane(rig).snapshot = replace(plane(rig).snapshot, prices=PriceBook())
    assert send(rig).status_code == 200
    rig.gateway.budget(budget(MANY, "soft"))
    assert send(rig).status_code == 200
    rig.gateway.budget(budget(MANY))
    check_refusal(send(rig), 403, "price_unknown", "gateway")
    assert len(rig.fake.seen) == 2


def test_deployment_with_a_price_serves_where_the_first_has_none(rig: Rig) -> None:
    rig.gateway.budget(budget(MANY))
    rig.gateway.route("claude-two", replace(rig.deployment, model="claude-unheard-of"), replace(rig.deployment, model=MODEL))
    assert send(rig, model="claude-two").status_code == 200


# R11
def test_failed_attempt_gives_its_money_back_before_the_next_one_asks(rig: Rig) -> None:
    rig.gateway.budget(budget(60))
    dead = replace(rig.deployment, model=MODEL, base_url="http://127.0.0.1:1")
    rig.gateway.route("claude-two", dead, replace(rig.deployment, model=MODEL))
    assert send(rig, model="claude-two").status_code == 200
    assert (purse(rig).held, purse(rig).settled) == (0, 12 * TOKEN)
    assert len(journal(rig, "f")) == 1


def test_call_that_only_held_money_keeps_out_is_told_to_come_back(rig: Rig) -> None:
    plane(rig).bank = Bank(rig.gateway.treasury, wait_s=0.05)
    rig.gateway.budget(budget(60))
    gate = Gate()
    with playing(rig, Player(WHOLE, hold=gate, hold_after=-1)) as model, dial(rig) as client:
        client.sendall(request(json.dumps(ask(model, stream=True)).encode()))
        wait_for(lambda: bool(rig.gateway.purses()) and purse(rig).held > 0)
        refused = send(rig)
        gate.open()
        read_until(client, b"message_stop")
    assert check_refusal(refused, 429, "budget_held")["type"] == "rate_limit_error"
    assert (refused.headers["x-should-retry"], refused.headers["retry-after"]) == ("true", "5")


def test_call_waits_for_money_that_is_about_to_come_back(rig: Rig) -> None:
    rig.gateway.budget(budget(60))
    with httpx.Client(timeout=20) as client:
        answers = [client.post(f"{rig.url}/v1/messages", json=ask(), headers={"x-api-key": ALICE}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200] * 4


def test_budget_that_cannot_be_checked_refuses_and_lets_go(rig: Rig) -> None:
    rig.gateway.budget(budget(MANY))
    rig.gateway.treasury.is_open = False
    refused = send(rig)
    check_refusal(refused, 503, "budget_unavailable", "gateway")
    assert (refused.headers["x-should-retry"], refused.headers["retry-after"]) == ("true", "5")
    rig.gateway.treasury.is_open = True
    assert send(rig).status_code == 200


# R31
def test_refusal_says_what_is_spent_what_is_held_and_what_the_call_may_cost(rig: Rig) -> None:
    rig.gateway.budget(budget(4_000_000, "strict"), posted={(1, EPOCH.timestamp()): 3_999_000 * TOKEN})
    message = check_refusal(send(rig, max_tokens=2000, inference_geo="global"), 429, "budget_exceeded")["message"]
    assert "The budget of key alice: $4.00 of $4.00 spent. This call may cost up to $0.0020" in message


@pytest.mark.parametrize(
    ("left", "thinking", "max_tokens", "header"),
    [
        (3000, None, 3000, "3000"),
        (1023, None, MANY, None),
        (3000, {"type": "enabled", "budget_tokens": 3000}, MANY, None),
        (2 * MANY, None, MANY, None),
    ],
)
def test_budget_that_clamps_lowers_max_tokens_near_its_end(
    rig: Rig, left: int, thinking: dict[str, Any] | None, max_tokens: int, header: str | None
) -> None:
    rig.gateway.budget(budget(left, clamps=True))
    answer = send(rig, json.dumps(ask(max_tokens=MANY, thinking=thinking or {"type": "disabled"})).encode())
    assert answer.status_code == 200
    assert json.loads(rig.fake.seen[-1].body)["max_tokens"] == max_tokens
    assert answer.headers.get("x-tallygate-max-tokens") == header


@pytest.mark.parametrize(("mode", "flushes"), [("strict", 1), ("hard", 0)])
def test_strict_budget_waits_until_the_opening_is_on_disk(rig: Rig, mode: str, flushes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    async def flush(_: object) -> None:
        seen.append(len(rig.fake.seen))

    monkeypatch.setattr(Journal, "flush", flush)
    rig.gateway.budget(budget(10 * MANY, mode))
    assert send(rig).status_code == 200
    assert seen == [0] * flushes


def test_opening_that_does_not_get_to_disk_is_not_sent(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Journal, "flush", full)
    rig.gateway.budget(budget(10 * MANY, "strict"))
    check_refusal(send(rig), 503, "journal_unavailable", "gateway")
    assert (len(rig.fake.seen), purse(rig).held, purse(rig).settled) == (0, 0, 0)
