"""Sessions: an agent run is one row, adds up to the ledger, mixes with nobody else's, and opens for whoever may see its calls."""

import csv
import re
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from urllib.parse import quote

import pytest
from django.db.models import Sum
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from audit.models import RequestRecord
from billing.models import LedgerEntry
from console.session_course import SHOWN
from console.session_filter import PAGE
from keys.models import User
from tests.console.report_rows import ask, results
from tests.console.rows import MINUTE, OVERLOADED, PRICE_LINES, as_admin, attempt, served
from tests.console.spend_rows import Cast, spent
from tests.factories import make_user

pytestmark = pytest.mark.django_db

EVIL = "<script>alert('\u202e')</script>"
COST = 56_023_500
NOW = timezone.now()
PAID = {1: 7, 2: 1_000_000_002, 3: 90}


def call(session: str, minutes_ago: float = 1, **values: Any) -> RequestRecord:
    return served(session_id=session, at=NOW - MINUTE * minutes_ago, **values)


def shown(client: Client, query: str = "") -> list[str]:
    """The session ids of a list, in its order."""
    text = client.get(f"/sessions/{query}").content.decode()
    return re.findall(r'<span class="sub mono clip" title="([^"]*)">', text)


def words(client: Client, address: str) -> str:
    text = client.get(address, follow=True).content.decode()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def lines(client: Client, query: str = "") -> list[dict[str, str]]:
    text = client.get(f"/sessions/sessions.csv{query}").content.decode("utf-8-sig")
    return list(csv.DictReader(StringIO(text)))


def as_cast(who: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=who))
    return client


# ── one run, one row ──────────────────────────────────────────────────────────
def test_calls_of_a_run_are_one_row_that_adds_up() -> None:
    call("s-1", 9, duration_ms=2000.0)
    call("s-1", 5, nano=0, cost_nano=None, is_unpriced=True, outcome="failed", status=529)
    call("s-1", 4, duration_ms=30_000.0, agent_id="a-1", route="claude-haiku", attempts=[OVERLOADED, attempt()])
    call("")
    (line,) = lines(as_admin())
    counted = {name: line[name] for name in ("Session", "Requests", "Problems", "Unpriced requests", "Agents", "Seconds", "Cost (USD)")}
    assert counted == dict(zip(counted, ("s-1", "3", "1", "1", "1", "330", "0.112047000"), strict=True))
    assert (line["Models"], line["Cache read tokens"]) == ("claude-sonnet, claude-haiku", str(3 * 44_180))


def test_figures_of_list_page_and_file_are_the_ledgers() -> None:
    ids = [call("s-1", at, nano=nano, price_lines=[PRICE_LINES[0] | {"amount_nano": nano}]).pk for at, nano in PAID.items()]
    ledger = LedgerEntry.objects.filter(request_id__in=ids).aggregate(nano=Sum("amount_nano"))["nano"]
    client = as_admin()
    assert lines(client)[0]["Cost (USD)"] == "1.000000099"
    assert ledger == 1_000_000_099
    assert "1.000000099" in words(client, f"/sessions/{ids[0]}/")
    assert "$1 .00" in words(client, "/sessions/")


def test_token_counts_are_no_part_of_a_run() -> None:
    call("s-1")
    count = call("s-1", endpoint="/v1/messages/count_tokens", nano=0)
    alone = call("s-2", endpoint="/v1/messages/count_tokens", nano=0)
    client = as_admin()
    assert [(line["Session"], line["Requests"]) for line in lines(client)] == [("s-1", "1")]
    assert client.get(f"/sessions/{count.pk}/").status_code == 200
    assert client.get(f"/sessions/{alone.pk}/")["Location"] == "/requests/?session=s-2&counts=1"


def test_tools_are_counted() -> None:
    call("s-1", tools=["Read", "Bash"])
    call("s-1", tools=["Read"])
    client = as_admin()
    assert "<bdi>Read</bdi>&nbsp;×2" in client.get("/sessions/").content.decode()
    assert lines(client)[0]["Tools"] == "Read, Bash"


# ── two people with the same session id ───────────────────────────────────────
def two_runs() -> tuple[RequestRecord, RequestRecord]:
    one = call("same", 2, key_id="k-1", user_id="u-1", key_name="one", nano=11)
    return one, call("same", 1, key_id="k-2", user_id="u-2", key_name="two", nano=22)


def test_same_session_id_of_two_people_is_two_runs() -> None:
    two_runs()
    assert [(line["Key"], line["Requests"], line["Cost (USD)"]) for line in lines(as_admin())] == [
        ("two", "1", "0.000000022"),
        ("one", "1", "0.000000011"),
    ]


def test_page_of_a_shared_session_id_shows_the_one_asked_for() -> None:
    one, two = two_runs()
    client = as_admin()
    text = client.get(f"/sessions/{one.pk}/").content.decode()
    assert f'href="/requests/{one.pk}/"' in text
    assert two.pk not in text


def test_shared_session_id_leads_to_the_list_of_its_runs() -> None:
    two_runs()
    client = as_admin()
    answer = client.get("/sessions/same/")
    assert answer["Location"] == "/sessions/?q=same"
    assert shown(client, "?q=same") == ["same", "same"]


def test_link_to_the_requests_shows_those_of_this_run_alone() -> None:
    one, two = two_runs()
    client = as_admin()
    found = re.search(r'href="(/requests/\?session=[^"]+)"', client.get(f"/sessions/{one.pk}/").content.decode())
    assert found is not None
    text = client.get(found[1].replace("&amp;", "&")).content.decode()
    assert (one.pk in text, two.pk in text) == (True, False)


def test_member_sees_their_run_only_of_a_shared_session_id() -> None:
    bob = make_user("bob")
    mine = call("same", 3, user_id=bob.pk, key_id="k-1", nano=5)
    call("same", 1, user_id="u-2", key_id="k-2")
    client = as_cast("bob")
    assert [line["Cost (USD)"] for line in lines(client)] == ["0.000000005"]
    assert f'href="/requests/{mine.pk}/"' in client.get("/sessions/same/").content.decode()


# ── who sees what ─────────────────────────────────────────────────────────────
@pytest.fixture
def cast(db: None) -> dict[str, RequestRecord]:
    made = Cast()
    make_user("viewer", User.Role.VIEWER)
    owners = {"alice": made.alice, "bob": made.bob, "charlie": made.charlie}
    return {name: spent(key, 7, at=timezone.now() - MINUTE, session_id=f"s-{name}") for name, key in owners.items()}


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("root", ["alice", "bob", "charlie"]), ("finance", ["alice", "bob", "charlie"]), ("alice", ["alice", "bob"]), ("bob", ["bob"]),
        ("charlie", ["charlie"]), ("viewer", []),
    ],
)  # fmt: skip
def test_everybody_sees_their_own_and_those_of_the_teams_they_manage(cast: dict[str, RequestRecord], who: str, seen: list[str]) -> None:
    client = as_cast(who)
    listed = {f"s-{name}" for name in seen}
    assert set(shown(client)) == set(shown(client, "?sort=cost")) == {line["Session"] for line in lines(client)} == listed
    by_call = [name for name, record in cast.items() if client.get(f"/sessions/{record.pk}/").status_code == 200]
    by_session = [name for name in cast if client.get(f"/sessions/s-{name}/").status_code == 200]
    assert by_call == by_session == seen


@pytest.mark.parametrize("query", ["user=charlie", "team=Sales", "key=charlie%27s+key", "q=s-charlie", "q=s-", "sort=cost", "model=opus"])
def test_no_filter_opens_runs_of_others(cast: dict[str, RequestRecord], query: str) -> None:
    assert "s-charlie" not in shown(as_cast("bob"), f"?{query}")


def test_foreign_run_is_as_unknown_as_one_that_never_was(cast: dict[str, RequestRecord]) -> None:
    client = as_cast("bob")
    answers = [client.get(f"/sessions/{name}/") for name in ("s-charlie", cast["charlie"].pk, "s-never", "a/b", "%00")]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.parametrize("path", ["", "sessions.csv", "s-alice/"])
def test_anonymous_and_blocked_see_nothing(cast: dict[str, RequestRecord], path: str) -> None:
    client = as_cast("alice")
    User.objects.filter(username="alice").update(is_blocked=True)
    assert Client().get(f"/sessions/{path}")["Location"].startswith("/accounts/login/")
    blocked = client.get(f"/sessions/{path}")
    assert blocked.status_code in {302, 403}
    assert "s-alice" not in re.sub(r"next=\S+", "", blocked.content.decode())


# ── filters and pages ─────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["s-2", "s-1"]), ("?sort=cost", ["s-1", "s-2"]), ("?team=Search", ["s-1"]), ("?user=Bob", ["s-2"]), ("?key=laptop", ["s-1"]),
        ("?team=Search&user=Bob", []), ("?client=claude-cli", ["s-1"]), ("?model=gpt-5", ["s-2"]), ("?q=S-2", ["s-2"]), ("?q=s-1", ["s-1"]),
        ("?q=s-old", ["s-old"]), ("?period=90d", ["s-2", "s-1", "s-old"]), ("?q=ol", []), ("?team=-", ["s-2"]),
        ("?period=%27&sort=x&after=7&q=%00", ["s-2", "s-1"]),
    ],
)  # fmt: skip
def test_filter_of_the_url(query: str, found: list[str]) -> None:
    call("s-1", 2, team_name="Search", team_id="t-1", key_name="laptop", client="claude-cli", nano=9)
    call("s-2", 1, user_name="Bob", route="gpt-5", nano=8)
    call("s-old", 60 * 24 * 40)
    assert shown(as_admin(), query) == found


def test_filter_picks_runs_and_shows_them_whole() -> None:
    call("s-1", 1, route="claude-haiku")
    call("s-1", 60 * 24 * 9)
    assert [line["Requests"] for line in lines(as_admin(), "?model=claude-haiku")] == ["2"]


def test_run_counts_where_its_last_call_lies() -> None:
    noon = datetime(2026, 3, 31, 12, tzinfo=UTC)
    served(session_id="s-1", at=noon)
    served(session_id="s-1", at=noon + timedelta(days=1))
    client = as_admin()
    assert [shown(client, f"?period={month}") for month in ("2026-03", "2026-04", "2026-05")] == [[], ["s-1"], []]
    assert lines(client, "?period=2026-04")[0]["Requests"] == "2"


@pytest.mark.parametrize("sort", ["newest", "cost"])
def test_pages_follow_one_another_without_gap_or_repeat(sort: str) -> None:
    moment = timezone.now() - MINUTE
    made = [f"s-{number}" for number in range(PAGE + 20)]
    for number, session in enumerate(made):
        served(session_id=session, at=moment - MINUTE * 100 * (number // 30), nano=5 * (number % 3))
        served(session_id=session, at=moment - MINUTE * 9000, nano=1)
    client = as_admin()
    first = client.get(f"/sessions/?period=30d&sort={sort}").content.decode()
    follow = re.search(r'href="(\?[^"]*after=[^"]*)" rel="next"', first)
    assert follow is not None
    seen = [shown(client, f"?period=30d&sort={sort}"), shown(client, follow[1].replace("&amp;", "&"))]
    assert [len(page) for page in seen] == [PAGE, 20]
    assert sorted(seen[0] + seen[1]) == sorted(made)


def test_dearest_are_not_looked_for_among_too_many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.session_filter.MOST_BY_COST", 2)
    call("s-dear", 9, nano=9)
    call("s-new", 1, nano=1)
    client = as_admin()
    assert shown(client, "?sort=cost") == ["s-dear", "s-new"]
    call("s-newest", 0.5, nano=1)
    assert shown(client, "?sort=cost") == ["s-newest", "s-new", "s-dear"]
    assert "Shown newest first." in words(client, "/sessions/?sort=cost")


def test_removing_a_chip_keeps_the_other_filters() -> None:
    text = as_admin().get("/sessions/?team=Search&key=laptop&sort=cost").content.decode()
    assert '<a href="?period=7d&amp;sort=cost&amp;key=laptop" aria-label="Remove filter Team">' in text


def test_many_runs_need_no_more_queries(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    client = as_admin()
    for number in range(PAGE + 1):
        call(f"s-{number}", tools=["Read"])
    with django_assert_max_num_queries(11):
        client.get("/sessions/")


# ── one run in full ───────────────────────────────────────────────────────────
def test_costs_accumulate_call_by_call() -> None:
    ids = [call("s-1", minutes, nano=10**9).pk for minutes in (3, 2, 1)]
    text = as_admin().get("/sessions/s-1/").content.decode()
    assert re.findall(r'href="/requests/([^/"]+)/"', text) == ids
    assert re.findall(r'<td class="r strong">\$(\d)<span class="cents">\.00</span></td>', text) == ["1", "2", "3"]


def test_kinds_add_up_to_the_cost() -> None:
    call("s-1", price_lines=PRICE_LINES)
    call("s-1", price_lines=PRICE_LINES)
    text = words(as_admin(), "/sessions/s-1/")
    for part in ("Fresh input 2,408 0.0072240", "Cache read 88,360 0.0265080", "Output 3,808 0.0571200", "Cost 0.1120470"):
        assert part in text
    assert "Without price lines" not in text


def test_cost_without_price_lines_is_told() -> None:
    call("s-1", price_lines=PRICE_LINES)
    call("s-1", price_lines=[{}, None])
    assert "Without price lines – 0.0560235" in words(as_admin(), "/sessions/s-1/")


def test_agents_models_and_facts_are_told_apart() -> None:
    call("s-1", 3, end_user="acme", tags=["nightly"], client="claude-cli/2.1")
    call("s-1", 2, agent_id="agent-7", route="claude-haiku", nano=COST)
    text = words(as_admin(), "/sessions/s-1/")
    for part in ("Main agent 1 1 request", "agent-7 1 1 request", "claude-haiku 1 1 request", "acme", "nightly", "claude-cli/2.1", "50.0%"):
        assert part in text


def test_unpriced_calls_are_told() -> None:
    call("s-1", cost_nano=None, is_unpriced=True, nano=0)
    client = as_admin()
    assert "1 request has no price." in words(client, "/sessions/s-1/")
    assert '<span class="state warn">unpriced</span>' in client.get("/sessions/").content.decode()


def test_long_run_is_shown_page_by_page_and_goes_on_adding() -> None:
    moment = timezone.now() - MINUTE * 200
    RequestRecord.objects.bulk_create(
        RequestRecord(
            id=f"req_{at}", received_at=moment + at * MINUTE / 9, session_id="s-1", cost_nano=10**9, endpoint="messages", outcome="ok"
        )
        for at in range(SHOWN + 2)
    )
    text = as_admin().get("/sessions/s-1/?page=2").content.decode()
    assert re.findall(r'href="/requests/([^/"]+)/"', text) == [f"req_{SHOWN}", f"req_{SHOWN + 1}"]
    assert "$101" in text
    assert "?page=1" in text
    assert "?page=3" not in text


@pytest.mark.parametrize("name", ["a/b c", "ü%3F?x=1", "..%2F", "' OR 1=1", "s" * 100])
def test_any_session_id_has_its_page(name: str) -> None:
    record = call(name)
    client = as_admin()
    assert f'href="/sessions/{record.pk}/"' in client.get("/sessions/").content.decode()
    assert client.get(f"/sessions/{record.pk}/").status_code == 200
    assert client.get(f"/sessions/{quote(name, safe='')}/").status_code == 200
    assert [line["Requests"] for line in lines(client, f"?q={quote(name, safe='')}")] == ["1"]


def test_typed_and_foreign_texts_are_inert() -> None:
    names = dict.fromkeys(["key_name", "team_name", "user_name", "client", "route", "served_model", "agent_id", "end_user"], EVIL)
    call(EVIL, 2, tags=[EVIL], tools=[EVIL], **names)
    record = call(EVIL, 1, **names)
    client = as_admin()
    for address in ("/sessions/", f"/sessions/{record.pk}/", "/sessions/?user=%3Cscript%3E&q=%22%3E%3Cscript%3E"):
        text = client.get(address).content.decode()
        assert "<script>" not in text
        assert "\u202e" not in text


def test_formulas_in_names_stay_texts_in_the_file() -> None:
    call("=1+1", key_name="@evil")
    (line,) = lines(as_admin())
    assert (line["Session"], line["Key"]) == ("'=1+1", "'@evil")


def test_name_of_a_file_tells_its_days_and_that_there_is_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.pages.sessions.MOST", 2)
    client, names = as_admin(), []
    for number in range(3):
        served(session_id=f"s-{number}", at=datetime(2026, 3, 5, 12, number, tzinfo=UTC))
        names.append(client.get("/sessions/sessions.csv?period=2026-03")["Content-Disposition"])
    plain = 'attachment; filename="sessions-2026-03-01-2026-03-31.csv"'
    assert names == [plain, plain, plain.replace(".csv", "-first-2.csv")]
    assert len(lines(client, "?period=2026-03")) == 2


def test_request_leads_to_its_session() -> None:
    record = call("s-1")
    client = as_admin()
    text = client.get(f"/requests/{record.pk}/").content.decode()
    assert f'href="/sessions/{record.pk}/"' in text


# ── the report ────────────────────────────────────────────────────────────────
def test_report_tells_the_figures_of_the_page() -> None:
    two_runs()
    call("s-1", 9, duration_ms=2000.0, tools=["Read"])
    call("s-1", 4, agent_id="a-1", route="claude-haiku", outcome="failed", cost_nano=None, is_unpriced=True, nano=0)
    told = results("sessions", "")
    same = {
        "session_id": "Session", "requests": "Requests", "failed_requests": "Problems", "unpriced_requests": "Unpriced requests",
        "cost_usd": "Cost (USD)", "input_tokens": "Fresh input tokens", "cache_write_tokens": "Cache write tokens", "agents": "Agents",
        "cache_read_tokens": "Cache read tokens", "output_tokens": "Output tokens",
    }  # fmt: skip
    found = [{column: str(row[name]) for name, column in same.items()} for row in told]
    assert found == [{column: line[column] for column in same.values()} for line in lines(as_admin())]
    assert [row["session_id"] for row in told] == ["same", "same", "s-1"]
    assert (told[2]["models"], told[2]["tools"], told[2]["duration_ms"]) == (["claude-haiku", "claude-sonnet"], ["Read"], 302_310)


@pytest.mark.parametrize(("who", "seen"), [("root", 3), ("finance", 3), ("alice", 2), ("bob", 1), ("charlie", 1)])
def test_report_shows_as_far_as_the_reader_may_see(db: None, who: str, seen: int) -> None:
    made = Cast()
    for key in (made.alice, made.bob, made.charlie):
        spent(key, 7, at=timezone.now() - MINUTE, session_id="same")
    assert [row["cost_nano"] for row in results("sessions", "", made.tokens[who])] == [7] * seen


def test_report_is_filtered() -> None:
    call("s-1", 2, team_id="t-1", client="claude-cli")
    call("s-2", 1, key_id="k-2", route="gpt-5")
    found = {
        query: [row["session_id"] for row in results("sessions", query)] for query in ("team=t-1", "key=k-2&model=gpt-5", "session=s-1")
    }
    assert list(found.values()) == [["s-1"], ["s-2"], ["s-1"]]
    assert ask("sessions", "tag=x").status_code == ask("sessions", "cursor=x").status_code == 400


def test_pages_of_the_report_follow_one_another() -> None:
    made = [call(f"s-{number}", 5).session_id for number in range(5)]
    address, told = "page_size=2", []
    for _page in range(3):
        answer = ask("sessions", address).json()
        told += [row["session_id"] for row in answer["results"]]
        address = str(answer["next"]).partition("?")[2]
    assert sorted(told) == sorted(made)
    assert answer["next"] is None


def test_nothing_yet_teaches_how_to_begin() -> None:
    assert "x-litellm-session-id" in words(as_admin(), "/sessions/")


def test_page_of_a_run_needs_few_queries(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    for minutes in range(20):
        call("s-1", minutes, agent_id=f"a-{minutes % 3}", price_lines=PRICE_LINES, tools=["Read"])
    client = as_admin()
    with django_assert_max_num_queries(13):
        client.get("/sessions/s-1/")
