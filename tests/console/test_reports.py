"""The reporting API: what it tells in which form, and what it refuses with which words."""

import re
from html import unescape
from shlex import split
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit.trail import SYSTEM
from billing.actions import BudgetTerms, set_budget
from billing.status import standing_of, told
from keys.actions import block_key
from keys.models import User, VirtualKey
from tests.console.report_rows import NOON, NOVEMBER, REPORTS, ask, charged, costs, csv_rows, results, xlsx_cells
from tests.console.test_pages_frame import ADDRESS, OUR_ORIGINS
from tests.factories import make_admin, make_key, make_team, make_user

pytestmark = pytest.mark.django_db


def signed_in(role: str = "admin") -> Client:
    client = Client(headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    client.force_login(make_user("reader", role))
    return client


# ── what is told ──────────────────────────────────────────────────────────────
def test_index_names_every_report_and_what_it_can_be_asked_for() -> None:
    found = results("", "")
    assert [row["address"] for row in found] == [f"/api/reports/{name}/" for name in REPORTS]
    assert {"group_by", "from", "to", "time_zone", "team", "format"} <= set(found[0]["filters"])
    assert {"cursor", "page_size", "one_budget"} <= set(found[2]["filters"])


def test_spend_tells_what_calls_cost_and_used() -> None:
    charged(1_000_000_001, cache_read_tokens=5, cache_write_5m_tokens=1, cache_write_1h_tokens=2, thinking_tokens=4)
    charged(0, status=429, outcome="refused", is_unpriced=True, is_estimated=True)
    assert results("spend") == [
        {
            "day": "2026-11-20", "cost_usd": "1.000000001", "cost_nano": 1_000_000_001, "requests": 2, "failed_requests": 1,
            "unpriced_requests": 1, "estimated_requests": 1, "input_tokens": 20, "cache_read_tokens": 5, "cache_write_tokens": 3,
            "output_tokens": 26, "thinking_tokens": 4,
        }
    ]  # fmt: skip


def test_spend_says_its_period_and_totals() -> None:
    charged(7)
    body = ask("spend", "from=2026-11&to=2026-11-20&time_zone=Asia/Tokyo").json()
    assert (body["from"], body["until"]) == ("2026-11-01T00:00:00+09:00", "2026-11-21T00:00:00+09:00")
    assert (body["currency"], body["time_zone"], body["next"]) == ("USD", "Asia/Tokyo", None)
    assert body["totals"]["cost_usd"] == "0.000000007"


def test_groups_are_told_with_ids_and_names() -> None:
    team = make_team("Search")
    charged(5, team_id=team.pk)
    charged(4, team_id="gone")
    charged(3)
    found = results("spend", f"group_by=team,model&{NOVEMBER}")
    assert [(row["team_id"], row["team"], row["cost_nano"]) for row in found] == [(team.pk, "Search", 5), ("gone", "", 4), ("", "", 3)]


@pytest.mark.parametrize(
    ("unit", "zone", "label"),
    [
        ("hour", "UTC", "2026-11-20T12:00"), ("hour", "Asia/Kathmandu", "2026-11-20T17:00"), ("day", "Pacific/Kiritimati", "2026-11-21"),
        ("week", "UTC", "2026-11-16"), ("month", "UTC", "2026-11"),
    ],
)  # fmt: skip
def test_times_are_those_of_the_zone(unit: str, zone: str, label: str) -> None:
    charged(1)
    assert results("spend", f"group_by={unit}&from=2026-11-01&to=2026-11-30&time_zone={zone}")[0][unit] == label


def test_hour_that_clocks_show_twice_is_one_line() -> None:
    for minute in ("00:30", "01:30"):
        charged(1, at=NOON.fromisoformat(f"2026-10-25T{minute}:00+00:00"))
    found = results("spend", "group_by=hour&from=2026-10-25&to=2026-10-25&time_zone=Europe/Berlin")
    assert [(row["hour"], row["cost_nano"]) for row in found] == [("2026-10-25T02:00", 2)]


def test_chargeback_tells_unallocated_and_unpriced_lines_apart() -> None:
    team = make_team("Search")
    charged(5, team_id=team.pk, cost_centre="CC-1")
    charged(0, team_id=team.pk, cost_centre="CC-1", is_unpriced=True)
    charged(3)
    found = {row["line"]: row for row in results("chargeback")}
    assert (found["allocated"]["cost_nano"], found["allocated"]["team"], found["allocated"]["month"]) == (5, "Search", "2026-11")
    assert (found["unallocated"]["cost_usd"], found["unallocated"]["requests"]) == ("0.000000003", 1)
    assert (found["unpriced"]["cost_nano"], found["unpriced"]["requests"]) == (None, 1)


def test_ledger_leaves_out_what_counts_for_one_budget_alone() -> None:
    charged(5)
    charged(9, kind="reap", budget_id=4)
    assert [row["amount_nano"] for row in results("ledger")] == [5]
    assert [(row["amount_usd"], row["budget_id"]) for row in results("ledger", f"one_budget=true&{NOVEMBER}")] == [("0.000000009", 4)]


def test_requests_tell_no_prompt_and_no_words_of_an_error() -> None:
    record = charged(5, error_message="canary-4431", tools=["canary-4432"], client_ip="198.51.100.7")
    answer = ask("requests")
    assert answer.json()["results"][0]["id"] == record.id
    assert not re.search(rb"canary|198\.51", answer.content)


def test_requests_leave_token_counts_out_as_sums_do() -> None:
    charged(0, endpoint="/v1/messages/count_tokens")
    assert results("requests") == []
    assert len(results("requests", f"token_counts=true&{NOVEMBER}")) == 1


def test_budgets_are_told_as_pages_and_refusals_tell_them() -> None:
    team = make_team("Search")
    budget = set_budget("team", team.pk, BudgetTerms(amount_nano=2 * 10**9, period="month"), actor=SYSTEM)
    budget.windows.update(posted_nano=500_000_001)
    row = results("budgets", "")[0]
    assert row["told"] == told(budget, timezone.now())
    assert (row["spent_nano"], row["used_percent"], row["left_usd"]) == (standing_of(budget, timezone.now()).spent_nano, 25, "1.499999999")
    assert row["resets_at"].endswith("-01T00:00:00.000000Z")


def test_keys_tell_state_and_cost_of_the_period() -> None:
    key, token = make_key("laptop", team=make_team("Search", cost_centre="CC-1"))
    charged(5, key_id=key.pk)
    block_key(key, actor=SYSTEM)
    answer = ask("keys")
    row = answer.json()["results"][0]
    assert (row["name"], row["state"], row["team"], row["cost_centre"], row["cost_nano"]) == ("laptop", "blocked", "Search", "CC-1", 5)
    assert key.last_four not in {str(value) for value in row.values()}
    assert token[-8:] not in answer.content.decode()


@pytest.mark.parametrize(("state", "names"), [("active", ["b"]), ("blocked", ["a"]), ("revoked", []), ("expired", [])])
def test_keys_can_be_asked_for_by_state(state: str, names: list[str]) -> None:
    block_key(make_key("a")[0], actor=SYSTEM)
    make_key("b")
    assert [row["name"] for row in results("keys", f"state={state}")] == names


def test_teams_tell_state_and_cost_of_the_period() -> None:
    team = make_team("Search", cost_centre="CC-1")
    charged(5, team_id=team.pk)
    row = results("teams")[0]
    assert (row["name"], row["state"], row["cost_usd"], row["requests"]) == ("Search", "active", "0.000000005", 1)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("team=t1", 1),
        ("model=haiku", 1),
        ("cost_centre=CC", 1),
        ("tag=ci", 1),
        ("kind=adjust", 0),
        ("end_user=ann", 1),
        ("unpriced=false", 2),
        ("team=T1", 0),
    ],
)
def test_filters_narrow(query: str, count: int) -> None:
    charged(5, team_id="t1", cost_centre="CC", end_user="ann")
    charged(6, route="haiku", tags=["ci"])
    assert len(results("ledger", f"{query}&{NOVEMBER}")) == count


# ── forms ─────────────────────────────────────────────────────────────────────
FORMULA = '=HYPERLINK("http://x")'


@pytest.mark.parametrize("text", [FORMULA, "+1", "-1", "@x", "\t=1", " =1", "＝1"])  # noqa: RUF001
def test_csv_and_xlsx_compute_nothing_that_somebody_typed(text: str) -> None:
    charged(5, cost_centre=text)
    query = f"group_by=cost_centre&{NOVEMBER}&format="
    assert csv_rows(ask("spend", f"{query}csv"))[0]["cost_centre"] == f"'{text}"
    assert xlsx_cells(ask("spend", f"{query}xlsx"))[1][0] == ("inlineStr", f"'{text}")


def test_files_hold_exact_amounts_beside_whole_nano_dollars() -> None:
    charged(-1_000_000_001)
    row = csv_rows(ask("spend", f"{NOVEMBER}&format=csv"))[0]
    assert (row["cost_usd"], row["cost_nano"]) == ("-1.000000001", "-1000000001")
    cells = xlsx_cells(ask("spend", f"{NOVEMBER}&format=xlsx"))[1]
    assert cells[1:3] == [("n", "-1.000000001"), ("n", "-1000000001")]


@pytest.mark.parametrize("report", ["spend", "chargeback", "keys", "teams"])
def test_csv_of_sums_names_the_zone_that_cut_them(report: str) -> None:
    make_key("laptop", team=make_team())
    charged(5)
    rows = csv_rows(ask(report, "from=2026-11&to=2026-11&time_zone=Asia/Tokyo&format=csv"))
    assert [list(row.items())[-1] for row in rows] == [("time_zone", "Asia/Tokyo")]
    assert "time_zone" not in results(report)[0]


def test_amount_beyond_a_spreadsheets_digits_is_text() -> None:
    charged(12_345_678_901_234_567)
    cells = xlsx_cells(ask("spend", f"{NOVEMBER}&format=xlsx"))[1]
    assert cells[1:3] == [("inlineStr", "12345678.901234567"), ("inlineStr", "12345678901234567")]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize("report", REPORTS)
def test_every_report_comes_as_a_file(report: str, form: str) -> None:
    make_key("laptop", team=make_team())
    charged(5)
    response = ask(report, f"format={form}")
    assert response.status_code == 200
    assert re.fullmatch(rf'attachment; filename="tallygate_{report}[0-9_-]*\.{form}"', response["Content-Disposition"])
    assert response["Cache-Control"] == "private, no-store"


def test_xlsx_says_what_it_holds() -> None:
    about = xlsx_cells(ask("spend", f"{NOVEMBER}&format=xlsx"), sheet=2)
    assert [row[1][1] for row in about[:5]] == ["spend", "2026-11-01T00:00:00+00:00", "2026-12-01T00:00:00+00:00", "UTC", "USD"]


@pytest.mark.parametrize(
    ("accept", "kind"), [("*/*", "application/json"), ("text/csv", "text/csv; charset=utf-8"), ("text/html", "text/html; charset=utf-8")]
)
def test_form_is_the_one_that_is_accepted(accept: str, kind: str) -> None:
    client = signed_in()
    assert client.get("/api/reports/spend/", headers={"Accept": accept})["Content-Type"] == kind


# ── pages ─────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("address", ["", *(f"{report}/" for report in REPORTS), "spend/?group_by=nonsense"])
def test_page_runs_nothing_inline_and_loads_nothing_from_elsewhere(address: str) -> None:
    make_key("laptop", team=make_team())
    charged(5)
    response = signed_in().get(f"/api/reports/{address}")
    text = response.content.decode()
    assert "unsafe" not in response["Content-Security-Policy"]
    assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son[a-z]+=|data:", text)
    addresses = [next(filter(None, found), "/") for found in ADDRESS.findall(text)]
    assert [one for one in addresses if not OUR_ORIGINS.match(one) and not one.startswith("http://testserver/api/reports/")] == []


def test_page_can_be_used_without_a_program() -> None:
    charged(5, cost_centre="<script>alert(1)</script>")
    text = signed_in().get("/api/reports/spend/", {"group_by": "cost_centre", "from": "2026-11"}).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert '<label for="id_group_by">' in text
    assert 'value="cost_centre"' in text
    assert "?format=xlsx&amp;from=2026-11&amp;group_by=cost_centre" in text
    assert '<td class="r"><bdi>0.000000005</bdi></td>' in text


def test_command_to_copy_runs_nothing_that_an_address_holds() -> None:
    text = signed_in().get("/api/reports/spend/?team=$(reboot)'`x`").content.decode()
    shown = unescape(re.findall(r"<pre[^>]*>(curl.*)</pre>", text)[0])
    assert split(shown)[-1].startswith("http://testserver/api/reports/spend/?team=")
    assert "'http://testserver/api/reports/spend/?team=" in shown


def test_page_says_what_is_wrong_where_it_is_wrong() -> None:
    response = signed_in().get("/api/reports/spend/?from=yesterday")
    assert response.status_code == 400
    assert 'role="alert"' in response.content.decode()
    assert "is no day, month or moment" in response.content.decode()


def test_visitor_of_a_page_is_shown_the_way_in() -> None:
    response = Client(headers={"Accept": "text/html"}).get("/api/reports/keys/")
    assert response.status_code == 401
    assert 'href="/accounts/login/?next=/api/reports/keys/"' in response.content.decode()


# ── refusals ──────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("report", "query", "name", "words"),
    [
        ("spend", "group_by=planet", "group_by", "'planet' is none of: hour, day"),
        ("spend", "group_by=day,week", "group_by", "Name one of hour, day, week, month, not several."),
        ("spend", "group_by=team,team", "group_by", "each once"),
        ("spend", "group_by=hour&from=2026-01-01&to=2026-03-01", "group_by", "31 days at most; this period has 60."),
        ("spend", "group_by=tag,user", "group_by", "Sums by tag are kept by team, model and time alone."),
        ("spend", "tag=ci&user=u", "user", "Sums by tag are kept by team, model and time alone."),
        ("spend", "colour=red", "colour", "There is no such filter here. There are: group_by, from, to, time_zone"),
        ("spend", "from=2026-02-30", "from", "There is no 2026-02-30."),
        ("spend", "from=0001-01-01", "from", "Only the years 2000 to 2998"),
        ("spend", "from=2026-11-01T00:07Z", "from", "quarters of an hour"),
        ("spend", "from=2026-11-02&to=2026-11-01", "to", "The period ends before it begins."),
        ("spend", "from=2020-01-01&to=2026-11-01", "from", "A report covers 1100 days at most"),
        ("spend", "time_zone=../../etc/passwd", "time_zone", "is no time zone"),
        ("spend", "team=a&team=b", "team", "It is given more than once."),
        ("spend", "format=yaml", "format", "'yaml' is none of: json, html, csv, xlsx."),
        ("ledger", "unpriced=maybe", "unpriced", "maybe is not one of the available choices."),
        ("ledger", "kind=gift", "kind", "gift is none of: base, adjust, reap."),
        ("ledger", "page_size=1001", "page_size", "from 1 to 1000"),
        ("ledger", "page_size=0", "page_size", "from 1 to 1000"),
        ("requests", "status=abc", "status", "Enter a number."),
        ("requests", "cursor=abc", "cursor", "This is no cursor of this report."),
        ("budgets", "from=2026-11-01", "from", "There is no such filter here."),
        ("", "team=a", "team", "There is no such filter here. There are: format."),
    ],
)  # fmt: skip
def test_wrong_filter_is_named(report: str, query: str, name: str, words: str) -> None:
    response = ask(report, query)
    assert response.status_code == 400
    assert words in response.json()[name][0]


@pytest.mark.parametrize("query", ["team=%00", "%00=1", "cursor=%00"])
def test_nul_is_refused_before_a_database_sees_it(query: str) -> None:
    assert ask("ledger", query).status_code == 400
    assert signed_in().get(f"/api/reports/ledger/?{query}").status_code == 400


def test_refusal_of_a_file_is_json() -> None:
    response = ask("spend", "group_by=planet&format=xlsx")
    assert (response.status_code, response["Content-Type"]) == (400, "application/json")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_nothing_can_be_changed(method: str) -> None:
    client = signed_in()
    assert getattr(client, method)("/api/reports/spend/").status_code == 405


# ── who asks ──────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("headers", [{"Authorization": "Bearer {}"}, {"x-api-key": "{}"}, {"api-key": "{}"}])
def test_key_of_an_administrator_opens_in_any_of_its_headers(headers: dict[str, str]) -> None:
    _, token = make_key(user=make_admin())
    client = Client(headers={name: value.format(token) for name, value in headers.items()})
    assert client.get("/api/reports/spend/").status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer sk-wrong"}, {"x-api-key": "sk-wrong"}])
def test_others_are_told_how_to_ask(headers: dict[str, str]) -> None:
    response = Client(headers=headers).get("/api/reports/spend/")
    assert (response.status_code, response["WWW-Authenticate"]) == (401, 'Bearer realm="Tallygate"')
    assert response.json()["detail"]


def test_wrong_key_is_not_covered_by_a_session() -> None:
    assert signed_in().get("/api/reports/spend/", headers={"x-api-key": "sk-wrong", "Accept": "*/*"}).status_code == 401


def test_revoked_key_reads_nothing() -> None:
    key, token = make_key(user=make_admin())
    VirtualKey.objects.filter(pk=key.pk).update(revoked_at=NOON)
    assert ask("spend", token=token).status_code == 401


def test_blocked_person_reads_nothing() -> None:
    client, (_, token) = signed_in(), make_key(user=make_admin())
    User.objects.update(is_blocked=True)
    assert client.get("/api/reports/spend/").status_code in {401, 403}
    assert ask("spend", token=token).status_code in {401, 403}


def test_answers_of_one_reader_are_kept_by_nobody() -> None:
    response: Any = ask("spend")
    assert {"Accept", "Authorization", "Cookie", "X-Api-Key"} <= {name.strip() for name in response["Vary"].split(",")}
    assert costs(response.json()["results"]) == 0
