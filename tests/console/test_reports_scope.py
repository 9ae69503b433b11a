"""Who reads what in the reports: everything, their teams', their own; and money without secrets for finance."""

from typing import Any

import pytest
from django.test import Client

from audit.trail import SYSTEM
from billing.actions import BudgetTerms, set_budget
from billing.scopes import member_id
from console.reports.sums import GROUPS
from tests.console.report_rows import NOVEMBER, REPORTS, Cast, ask, costs, results

ALICE, BOBS_IN_SEARCH, BOBS_OWN, CHARLIES, NOBODYS = 1_000_000_001, 20, 300, 4000, 50_000
ALL = ALICE + BOBS_IN_SEARCH + BOBS_OWN + CHARLIES + NOBODYS
SEEN = {
    "master": ALL,
    "root": ALL,
    "fin": ALL,
    "alice": ALICE + BOBS_IN_SEARCH,
    "bob": BOBS_IN_SEARCH + BOBS_OWN,
    "bob's of Search": BOBS_IN_SEARCH,
    "charlie": CHARLIES,
    "nobody's": NOBODYS,
    "vera": 0,
}
MONEY = {"spend": "cost_nano", "chargeback": "cost_nano", "ledger": "amount_nano", "requests": "cost_nano"}
SESSIONS = ("root", "fin", "alice", "bob", "charlie", "vera")

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(db: None) -> Cast:
    return Cast()


def by_session(cast: Cast, who: str, report: str) -> list[dict[str, Any]]:
    client = Client()
    client.force_login(cast.people[who])
    return list(client.get(f"/api/reports/{report}/?{NOVEMBER}").json()["results"])


@pytest.mark.parametrize("who", SEEN)
def test_key_opens_what_its_owner_may_see(cast: Cast, who: str) -> None:
    found = {report: costs(results(report, token=cast.tokens[who]), name) for report, name in MONEY.items()}
    assert found == dict.fromkeys(MONEY, SEEN[who])


@pytest.mark.parametrize("who", SESSIONS)
def test_session_opens_the_same(cast: Cast, who: str) -> None:
    found = {report: costs(by_session(cast, who, report), name) for report, name in MONEY.items()}
    assert found == dict.fromkeys(MONEY, SEEN[who])


@pytest.mark.parametrize("who", ["fin", "alice", "bob"])
def test_every_grouping_is_scoped(cast: Cast, who: str) -> None:
    found = {group: costs(results("spend", f"group_by={group}&{NOVEMBER}", cast.tokens[who])) for group in GROUPS}
    assert found == dict.fromkeys(GROUPS, SEEN[who])


def test_filter_for_somebody_elses_finds_nothing(cast: Cast) -> None:
    for query in (f"team={cast.sales.pk}", f"user={cast.people['charlie'].pk}", f"key={cast.keys['charlie']}"):
        assert results("spend", f"{query}&{NOVEMBER}", cast.tokens["alice"]) == []
        assert results("ledger", f"{query}&{NOVEMBER}", cast.tokens["alice"]) == []


def test_manager_reads_tags_of_their_teams_alone(cast: Cast) -> None:
    found = results("spend", f"group_by=tag&{NOVEMBER}", cast.tokens["alice"])
    assert {row["tag"]: row["cost_nano"] for row in found} == {"nightly": ALICE, "ci": BOBS_IN_SEARCH}


@pytest.mark.parametrize("who", ["bob", "bob's of Search", "nobody's", "vera"])
def test_tags_are_closed_to_who_manages_nothing(cast: Cast, who: str) -> None:
    response = ask("spend", f"group_by=tag&{NOVEMBER}", cast.tokens[who])
    assert (response.status_code, "kept by team" in response.json()["detail"]) == (403, True)


@pytest.mark.parametrize(
    ("who", "names"),
    [
        ("fin", {"alice", "bob", "charlie", "vera", "fin", "root", "bob's of Search", "nobody's"}),
        ("alice", {"alice", "bob's of Search"}),
        ("bob", {"bob", "bob's of Search"}),
        ("bob's of Search", {"bob's of Search"}),
        ("nobody's", {"nobody's"}),
        ("vera", {"vera"}),
    ],
)
def test_keys_are_those_that_somebody_may_see(cast: Cast, who: str, names: set[str]) -> None:
    assert {row["name"] for row in results("keys", token=cast.tokens[who])} == names


@pytest.mark.parametrize(
    ("who", "money"),
    [
        ("fin", {"Search": ALICE + 20, "Sales": 54_000}),
        ("alice", {"Search": ALICE + 20}),
        ("bob", {"Search": 20}),
    ],
)
def test_teams_cost_what_somebody_may_see_of_them(cast: Cast, who: str, money: dict[str, int]) -> None:
    assert {row["name"]: row["cost_nano"] for row in results("teams", token=cast.tokens[who])} == money


def budgets(cast: Cast) -> dict[int, str]:
    bob, search = cast.people["bob"].pk, cast.search.pk
    scopes = {
        "search": ("team", search), "sales": ("team", cast.sales.pk), "bob": ("user", bob),
        "bob in search": ("member", member_id(search, bob)),
        "bob's key": ("key", cast.keys["bob"]), "all": ("global", ""), "tag": ("tag", "ci"),
    }  # fmt: skip
    return {set_budget(*scoped, BudgetTerms(amount_nano=10**9, period="month"), actor=SYSTEM).pk: name for name, scoped in scopes.items()}


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("fin", {"search", "sales", "bob", "bob in search", "bob's key", "all", "tag"}),
        ("alice", {"search", "bob in search"}),
        ("bob", {"bob", "bob in search", "bob's key"}),
        ("bob's of Search", {"bob in search"}),
        ("nobody's", set()),
    ],
)
def test_budgets_are_ones_own_and_those_of_managed_teams(cast: Cast, who: str, seen: set[str]) -> None:
    names = budgets(cast)
    assert {names[row["id"]] for row in results("budgets", "", cast.tokens[who])} == seen


@pytest.mark.parametrize("form", ["json", "csv", "html"])
def test_nobody_reads_a_secret_of_a_key(cast: Cast, form: str) -> None:
    text = "".join(ask(report, f"format={form}", cast.tokens["fin"]).content.decode() for report in REPORTS)
    assert not [token for token in cast.tokens.values() if token in text]
    assert "sk-" not in text.replace("x-api-key: $TALLYGATE_KEY", "")
