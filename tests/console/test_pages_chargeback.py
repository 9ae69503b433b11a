"""Chargeback: for finance and administrators alone; the figures of ledger, report and Spend; closing a month and opening it again."""

import csv
import hashlib
import html
import re
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.db.models import Sum
from django.test import Client

from audit.models import AuditEvent
from billing.models import FrozenLine, FrozenMonth, Instance, LedgerEntry
from keys.models import User
from tests.console.permissions.cast import Cast
from tests.console.report_rows import charged, costs, results
from tests.factories import make_admin, make_key, make_team, make_user

pytestmark = pytest.mark.django_db
OCTOBER = "/chargeback/?month=2024-10"
NAMED = "month=2024-10&zone=UTC"
AT = datetime(2024, 10, 20, 12, tzinfo=UTC)
LATE = datetime(2024, 10, 31, 23, 30, tzinfo=UTC)
CLOSED_TO = ("member", "viewer", "manager", "leader", "outsider", "newcomer")


def finance() -> Client:
    client = Client()
    client.force_login(make_user("ingrid", User.Role.FINANCE))
    return client


def administrator() -> Client:
    client = Client()
    client.force_login(make_admin("marta"))
    return client


def text(client: Client, address: str = OCTOBER) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def post(client: Client, what: str, query: str = NAMED, **values: str) -> str:
    """The page that follows, as plain words."""
    return plain(client.post(f"/chargeback/{what}/?{query}", values, follow=True).content.decode())


def plain(page: str) -> str:
    spaced = re.sub(r"</(?:td|th|dt|dd|p|h1|h2)>", " ", page)
    return " ".join(html.unescape(re.sub(r"<svg.*?</svg>|<[^>]+>", "", spaced, flags=re.DOTALL)).split())


def ledger() -> int:
    return int(LedgerEntry.objects.filter(budget_id=None).aggregate(nano=Sum("amount_nano"))["nano"])


def rows(client: Client, address: str = OCTOBER) -> list[str]:
    return [plain(row) for row in re.findall(r'<th scope="row" class="p1">(.*?)</td>', text(client, address), re.DOTALL)]


def file_rows(client: Client, query: str = "month=2024-10") -> list[dict[str, str]]:
    content = client.get(f"/chargeback/chargeback.csv?{query}").content.decode("utf-8-sig")
    return list(csv.DictReader(StringIO(content)))


def spent() -> dict[str, str]:
    """By two teams on two cost centres, and by nobody on none."""
    search, sales = make_team("Search"), make_team("Sales")
    key, _token = make_key("laptop", team=search)
    charged(1_000_000_001, at=AT, team_id=search.pk, key_id=key.pk, cost_centre="CC-1")
    charged(2_000_000_000, at=AT, team_id=sales.pk, cost_centre="CC-2")
    charged(500_000_000, at=LATE, team_id=sales.pk)
    charged(0, at=AT, team_id=sales.pk, cost_centre="CC-2", is_unpriced=True)
    charged(3, at=AT, team_id=sales.pk, cost_centre="CC-2", is_estimated=True)
    return {"search": search.pk, "sales": sales.pk, "key": key.pk}


# ── who may ───────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("who", CLOSED_TO)
@pytest.mark.parametrize("path", ["", "chargeback.csv", "chargeback.xlsx", "frozen.txt"])
def test_page_and_files_are_closed_to_who_does_not_keep_the_books(cast: Cast, who: str, path: str) -> None:
    client = Client()
    client.force_login(User.objects.get(username=who))
    response = client.get(f"/chargeback/{path}")
    assert response.status_code == 403
    assert "opens for finance and administrators" in response.content.decode()


@pytest.mark.parametrize("who", CLOSED_TO)
def test_nobody_else_freezes_and_only_administrators_unfreeze(cast: Cast, who: str) -> None:
    client = Client()
    client.force_login(User.objects.get(username=who))
    assert [client.post(f"/chargeback/{what}/?{NAMED}").status_code for what in ("freeze", "unfreeze")] == [403, 403]
    assert not FrozenMonth.objects.exists()


def test_menu_leads_only_those_who_keep_the_books(cast: Cast) -> None:
    led = []
    for who in (*CLOSED_TO, "finance", "root"):
        client = Client()
        client.force_login(User.objects.get(username=who))
        led += [who] * ('href="/chargeback/"' in client.get("/spend/").content.decode())
    assert led == ["finance", "root"]


def test_nothing_is_frozen_by_a_link() -> None:
    client = administrator()
    assert [client.get(f"/chargeback/{what}/?{NAMED}").status_code for what in ("freeze", "unfreeze")] == [405, 405]


# ── figures ───────────────────────────────────────────────────────────────────
def test_cost_centres_stand_with_their_teams_and_the_unallocated_last() -> None:
    spent()
    found = rows(finance())
    assert found == [
        "CC-2 $2.00", "Sales $2.00", "CC-1 $1.00", "Search $1.00", "Unallocated $0.5000", "Sales $0.5000", "Total $3.50",
    ]  # fmt: skip


def test_page_file_and_report_are_the_ledger_to_the_nano() -> None:
    spent()
    client = finance()
    assert ledger() == 3_500_000_004
    assert "Charged, to the nano-dollar $3.500000004" in plain(text(client))
    assert sum(Decimal(row["Spend (USD)"]) for row in file_rows(client)) == Decimal("3.500000004")
    assert costs(results("chargeback", "from=2024-10&to=2024-10&time_zone=UTC")) == ledger()


def test_centre_shows_its_teams_with_their_keys() -> None:
    spent()
    client = finance()
    assert rows(client, f"{OCTOBER}&centre=CC-1") == ["Search $1.00", "laptop $1.00", "Total $1.00"]
    assert rows(client, f"{OCTOBER}&centre=-") == ["Sales $0.5000", "no key $0.5000", "Total $0.5000"]


def test_lines_lead_to_spend_with_the_same_filters_and_figures() -> None:
    ids = spent()
    client = finance()
    page = html.unescape(text(client, f"{OCTOBER}&centre=CC-1"))
    link = f"/spend/?period=2024-10&centre=CC-1&team={ids['search']}&key={ids['key']}"
    assert f'href="{link}"' in page
    assert "$1<span" in text(client, link)
    assert "Search" not in plain(text(client, "/spend/?period=2024-10&centre=CC-2&by=team"))


@pytest.mark.parametrize("price", ["unpriced", "estimated"])
def test_what_is_unpriced_or_estimated_leads_to_those_requests(price: str) -> None:
    spent()
    client = finance()
    page = html.unescape(text(client))
    assert f'href="/requests/?period=2024-10&price={price}">1 request<' in page
    listed = text(client, f"/requests/?period=2024-10&price={price}")
    assert len(re.findall(r'href="/requests/req_', listed)) == 1


def test_month_is_cut_in_the_zone_that_is_asked() -> None:
    spent()
    client = finance()
    assert rows(client, f"{OCTOBER}&zone=Asia/Tokyo")[-1] == "Total $3.00"
    assert rows(client, "/chargeback/?month=2024-11&zone=Asia/Tokyo")[-1] == "Total $0.5000"


def test_month_before_stands_beside_it() -> None:
    spent()
    charged(4_000_000_000, at=AT.replace(month=9), cost_centre="CC-1")
    assert "CC-1 $1.00 28.6% $4.00 75.0%" in plain(text(finance()))


def test_strip_shows_every_month_of_the_year() -> None:
    spent()
    charged(9_000_000_000, at=AT.replace(month=2))
    strip = text(finance()).partition('<nav class="year"')[2].partition("</nav>")[0]
    cells = [plain(cell) for cell in re.findall(r"<li.*?</li>", strip, re.DOTALL)]
    assert (len(cells), cells[1], cells[9]) == (12, "Feb$9.00", "Oct$3.50")


def test_month_that_has_not_begun_is_the_running_one() -> None:
    assert "Still running" in plain(text(finance(), "/chargeback/?month=2199-01"))


@pytest.mark.parametrize("query", ["month=2024-13", "month=&zone=Mars/Olympus", "zone=../../etc", "month=%00", "centre=%00"])
def test_what_means_nothing_is_as_if_it_were_not_there(query: str) -> None:
    assert "Chargeback" in text(finance(), f"/chargeback/?{query}")


def test_names_with_markup_are_inert() -> None:
    team = make_team("<b>Search</b>")
    charged(5, at=AT, team_id=team.pk, cost_centre="<script>alert(1)</script>")
    page = text(finance())
    assert "<script>alert" not in page
    assert "<b>Search" not in page
    assert "&lt;script&gt;alert" in page


def test_formula_in_a_cost_centre_stays_text_in_the_file() -> None:
    charged(5, at=AT, cost_centre="=1+1")
    assert file_rows(finance())[0]["Cost centre"] == "'=1+1"


# ── closing ───────────────────────────────────────────────────────────────────
def test_finance_freezes_a_month_and_sees_it_verified() -> None:
    spent()
    client = finance()
    page = post(client, "freeze")
    frozen = FrozenMonth.objects.get()
    assert "The month is frozen." in page
    assert "Frozen by ingrid" in page
    assert frozen.sha256 in page
    assert "Verified" in page
    assert AuditEvent.objects.get(event="month.frozen").actor_name == "ingrid@example.com"


def test_later_entries_change_no_frozen_figure_and_are_charged_in_the_next_month() -> None:
    spent()
    client = finance()
    post(client, "freeze")
    charged(7, at=AT, cost_centre="CC-1")
    october, november = plain(text(client)), plain(text(client, "/chargeback/?month=2024-11"))
    assert "Charged, to the nano-dollar $3.500000004" in october
    assert "Since frozen, in no figure above $0.000000007" in october
    assert "Charged in November 2024, as an adjustment $0.000000007" in october
    assert "Adjustment of October 2024" in november
    assert "Charged, to the nano-dollar $0.000000007" in november


def test_files_and_report_tell_frozen_figures_and_what_came_since_apart() -> None:
    spent()
    client = finance()
    post(client, "freeze")
    charged(7, at=AT, cost_centre="CC-1")
    sheet = file_rows(client)
    assert sum(Decimal(row["Spend (USD)"] or 0) for row in sheet) == Decimal("3.500000004")
    assert [row["Since frozen (USD)"] for row in sheet if row["Line"] == "since frozen"] == ["0.000000007"]
    assert {row["SHA-256"] for row in sheet} == {FrozenMonth.objects.get().sha256}
    reported = results("chargeback", "from=2024-10&to=2024-11&time_zone=UTC")
    told = {(row["month"], row["state"], row["line"]): row for row in reported}
    assert costs(reported) == ledger() == 3_500_000_011
    assert costs([row for row in reported if row["month"] == "2024-10"]) == 3_500_000_004
    assert told["2024-10", "frozen", "since_frozen"]["since_frozen_nano"] == 7
    assert (told["2024-11", "open", "adjustment"]["adjusts"], told["2024-11", "open", "adjustment"]["cost_nano"]) == ("2024-10", 7)
    assert {row["sha256"] for row in reported if row["state"] == "frozen"} == {FrozenMonth.objects.get().sha256}


def test_report_of_a_part_of_a_frozen_month_is_the_ledgers_and_says_so() -> None:
    spent()
    post(finance(), "freeze")
    charged(7, at=AT)
    found = results("chargeback", "from=2024-10-20&to=2024-10-20&time_zone=UTC")
    assert {(row["state"], row["sha256"]) for row in found} == {("part", "")}
    assert costs(found) == 3_000_000_011


def test_report_of_a_frozen_month_is_scoped(cast: Cast) -> None:
    names = cast.names
    charged(5, at=AT, team_id=names["search"], user_id=names["member"], key_id=names["bobs"])
    charged(70, at=AT, team_id=names["sales"], user_id=names["outsider"], key_id=names["charlies"])
    post(as_finance(cast), "freeze")
    charged(1, at=AT, team_id=names["search"], user_id=names["member"], key_id=names["bobs"])
    query = "from=2024-10&to=2024-11&time_zone=UTC"
    seen = {who: costs(results("chargeback", query, cast.tokens[who])) for who in ("member", "manager", "outsider", "finance", "viewer")}
    assert seen == {"member": 6, "manager": 6, "outsider": 70, "finance": 76, "viewer": 0}


def as_finance(cast: Cast) -> Client:
    client = Client()
    client.force_login(User.objects.get(pk=cast.names["finance"]))
    return client


def test_frozen_month_keeps_the_names_of_its_day() -> None:
    ids = spent()
    client = finance()
    post(client, "freeze")
    User.objects.filter(username="nobody").delete()
    type(make_team("x")).objects.filter(pk=ids["search"]).update(name="Discovery")
    assert "Search $1.00" in rows(client)
    assert {row["team"] for row in results("chargeback", "from=2024-10&to=2024-10&time_zone=UTC")} == {"Search", "Sales"}


def test_text_has_the_hash_that_the_page_shows() -> None:
    spent()
    client = finance()
    post(client, "freeze")
    response = client.get(f"/chargeback/frozen.txt?{NAMED}")
    assert hashlib.sha256(response.content).hexdigest() == FrozenMonth.objects.get().sha256
    assert response["Content-Disposition"] == 'attachment; filename="chargeback-2024-10-UTC.txt"'


def test_text_of_an_open_month_is_not_there() -> None:
    assert finance().get(f"/chargeback/frozen.txt?{NAMED}").status_code == 404


def test_changed_snapshot_is_told() -> None:
    spent()
    client = finance()
    post(client, "freeze")
    FrozenLine.objects.filter(cost_centre="CC-1").update(cost_nano=1)
    page = plain(text(client))
    assert "do not agree" in page
    assert "Verified" not in page


@pytest.mark.parametrize("query", ["", "month=2024-10", "zone=UTC", "month=2024-13&zone=UTC", "month=2024-10&zone=Mars/Olympus"])
def test_month_and_zone_must_be_named_to_be_frozen(query: str) -> None:
    assert finance().post(f"/chargeback/freeze/?{query}").status_code == 404
    assert not FrozenMonth.objects.exists()


def test_refusal_is_told_and_changes_nothing() -> None:
    client = finance()
    running = f"{datetime.now(UTC):%Y-%m}"
    assert "has not ended yet in UTC" in post(client, "freeze", f"month={running}&zone=UTC")
    assert not FrozenMonth.objects.exists()


def test_month_with_a_silent_process_is_frozen_only_on_its_word() -> None:
    Instance.objects.create(id="worker-7", started_at=AT, beat_at=AT)
    client = finance()
    assert "worker-7" in post(client, "freeze")
    assert not FrozenMonth.objects.exists()
    post(client, "freeze", without_silent="yes")
    assert FrozenMonth.objects.exists()


def test_finance_does_not_unfreeze() -> None:
    client = finance()
    post(client, "freeze")
    assert client.post(f"/chargeback/unfreeze/?{NAMED}", {"reason": "x"}).status_code == 403
    assert "Unfreeze month" not in text(client)
    assert FrozenMonth.objects.exists()


@pytest.mark.parametrize(("reason", "is_frozen"), [("", True), (" \x00 ", True), ("booked twice", False)])
def test_administrator_unfreezes_with_a_reason(reason: str, is_frozen: bool) -> None:
    client = administrator()
    post(client, "freeze")
    assert "Unfreeze month" in text(client)
    post(client, "unfreeze", reason=reason)
    assert FrozenMonth.objects.exists() is is_frozen
    reasons = [event.after.get("reason") for event in AuditEvent.objects.filter(event="month.unfrozen")]
    assert reasons == ["booked twice"] * (not is_frozen)


def test_blocked_finance_sees_nothing() -> None:
    client = finance()
    User.objects.update(is_blocked=True)
    assert client.get("/chargeback/").status_code in {302, 403}


def test_page_asks_the_same_few_queries_however_many_lines_and_months(django_assert_max_num_queries: Any) -> None:
    for number in range(12):
        charged(number, at=AT.replace(month=number + 1), team_id=f"t{number}", cost_centre=f"CC-{number}")
        charged(number, at=AT, team_id=f"t{number}", cost_centre=f"CC-{number}")
    client = finance()
    post(client, "freeze")
    with django_assert_max_num_queries(26):
        text(client)


def test_admin_shows_frozen_months_and_changes_none() -> None:
    charged(5, at=AT, cost_centre="CC-1")
    client = administrator()
    post(client, "freeze")
    frozen = FrozenMonth.objects.get()
    page = text(client, f"/admin/billing/frozenmonth/{frozen.pk}/change/")
    assert frozen.sha256 in page
    assert "froze month" in page
    assert client.post(f"/admin/billing/frozenmonth/{frozen.pk}/change/", {"month": "2024-11"}).status_code == 403
    assert client.post(f"/admin/billing/frozenmonth/{frozen.pk}/delete/", {"post": "yes"}).status_code == 403
