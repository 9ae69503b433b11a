"""Fills a database with the demo: all of it in one transaction, or nothing."""

from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from audit.models import RequestRecord
from billing.journal import Entry
from billing.loading import load_prices
from billing.models import LedgerEntry
from billing.posting import post
from billing.snapshot import PriceBook
from gateway_project.demo_seed.budgets import Spent, set_budgets
from gateway_project.demo_seed.calls import Call
from gateway_project.demo_seed.cast import HOUSES, KEYS
from gateway_project.demo_seed.entries import Writer, cost_of, spender_of
from gateway_project.demo_seed.rows import Made, make_cast
from gateway_project.demo_seed.traffic import DAYS, traffic
from keys.models import Organisation, Team, User, VirtualKey

BATCH = 2000


@dataclass(frozen=True, slots=True)
class Seeded:
    """What was made; the password and the token exist nowhere else."""

    calls: int
    spent_nano: int
    password: str = field(repr=False)
    token: str = field(repr=False)


def is_seeded() -> bool:
    return Organisation.objects.filter(pk__in=[house.id for house in HOUSES]).exists()


def is_in_use() -> bool:
    """Whether somebody's own calls, keys or teams are here. What a first start makes does not count."""
    own_keys = VirtualKey.objects.exclude(created_by="system").exists()
    return RequestRecord.objects.exists() or Team.objects.exists() or own_keys or User.objects.exclude(username="admin").exists()


@transaction.atomic
def seed_demo(now: datetime, seed: int, password: str, days: int = DAYS) -> Seeded:
    """For a database that has no demo yet."""
    made = make_cast(now, password)
    calls = traffic(now, seed, days)
    prices = load_prices()
    budgets = set_budgets(made.keys, _spent(calls, made, prices), now)
    writer = Writer(made.keys, made.deployments, prices, budgets)
    total = 0
    for start in range(0, len(calls), BATCH):
        entries = [writer.entry(call) for call in calls[start : start + BATCH]]
        post(entries, LedgerEntry.Kind.BASE)
        total += _money_of(entries)
    return Seeded(len(calls), total, password, made.token)


def _spent(calls: list[Call], made: Made, prices: PriceBook) -> list[Spent]:
    priced = ((call, cost_of(call, prices)) for call in calls)
    return [(spender_of(call, made.keys[call.key.name]), call.at, cost.amount_nano) for call, cost in priced if cost]


def _money_of(entries: list[Entry]) -> int:
    return sum(posting.amount_nano for entry in entries for posting in entry.postings)


def first_key() -> str:
    """The name of the key that `Seeded.token` opens."""
    return KEYS[0].name
