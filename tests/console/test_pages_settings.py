"""Settings and doctor: for administrators alone; effective settings without secrets, the doctor's findings, processes and backlog."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as in_force
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from audit.models import AuditEvent
from billing.models import Instance
from gateway_project import celery, diagnosis
from gateway_project.config_file import ConfigFile
from gateway_project.diagnosis import Line
from gateway_project.management.commands.check_config import all_readings
from tests.console.permissions.cast import Cast
from tests.console.test_pages_audit import EVIL, OTHERS, client_of
from tests.factories import make_deployment

PATHS = ("/settings/", "/settings/notice/")


@pytest.fixture(autouse=True)
def alone(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REDIS_URL = ""
    monkeypatch.setattr(celery, "IS_EMBEDDED", True)


def text_of(client: Client | None = None) -> str:
    response = (client or client_of("admin")).get("/settings/")
    assert response.status_code == 200
    return response.content.decode()


def findings(text: str) -> list[tuple[str, str]]:
    return re.findall(r'<th scope="row" class="p1"><bdi>([^<]+)</bdi></th><td class="p4"><span class="state (\w+)">', text)


# ── who sees it ───────────────────────────────────────────────────────────────
def test_administrators_see_it_and_find_it_in_the_menu(cast: Cast) -> None:
    assert '<li><a href="/settings/" aria-current="page"' in text_of()
    assert "MIT License" in client_of("admin").get("/settings/notice/").content.decode()


@pytest.mark.parametrize("role", OTHERS)
def test_others_see_nothing_of_it_and_start_no_doctor(cast: Cast, role: str) -> None:
    client, before = client_of(role), AuditEvent.objects.count()
    assert [client.get(path).status_code for path in PATHS] == [403, 403]
    assert client.post("/settings/doctor/").status_code == 403
    assert '"/settings/"' not in client.get("/").content.decode()
    assert AuditEvent.objects.count() == before


def test_anonymous_visitor_is_sent_to_sign_in(cast: Cast) -> None:
    assert Client().get("/settings/")["Location"] == "/accounts/login/?next=/settings/"


def test_page_runs_nothing_inline_and_leads_nowhere_else(cast: Cast) -> None:
    text = text_of()
    assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son[a-z]+=|[\"'(]data:", text)
    assert [address for address in re.findall(r'(?:src|href|action)="([^"]*)"', text) if not re.match(r"[/#?]", address)] == []
    assert len(text) < 100_000


# ── settings ──────────────────────────────────────────────────────────────────
def test_every_setting_is_there_with_its_source_and_meaning(cast: Cast) -> None:
    text = text_of()
    for one in all_readings(in_force.TALLYGATE_CONFIG):
        assert f"<bdi>{one.name}</bdi>" in text
    assert "key of administrators&#x27; scripts" in text


def test_no_secret_is_shown(cast: Cast) -> None:
    text = text_of()
    secrets = [in_force.TALLYGATE_MASTER_KEY, in_force.SECRET_KEY, *in_force.TALLYGATE_SECRET_KEYS]
    assert [secret for secret in secrets if secret in text] == []


def test_keys_of_the_file_without_effect_are_told_with_the_reason(cast: Cast, settings: Settings) -> None:
    ignored = ("litellm_settings.cache", f"router_settings.{EVIL}")
    settings.TALLYGATE_CONFIG = ConfigFile(Path("/etc/config.yaml"), not_honoured=ignored, missing=("NO_SUCH_KEY",))
    text = text_of()
    assert "litellm_settings.cache (answers of models are not kept, so each call goes to its provider)" in text
    assert "/etc/config.yaml refers to NO_SUCH_KEY, which is not set in the environment." in text
    assert "<script>" not in text


# ── doctor ────────────────────────────────────────────────────────────────────
def test_page_asks_nobody(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(diagnosis, "probe", lambda row: asked.append(row.name))
    assert "deployment sonnet" not in dict(findings(text_of()))
    assert asked == []


def test_what_is_wrong_comes_first_with_the_remedy(cast: Cast) -> None:
    make_deployment("dear", provider="anthropic", model="fake-model-of-no-list")
    text = text_of()
    looks = [look for _, look in findings(text)]
    assert ("deployment dear", "bad") in findings(text)
    assert looks == sorted(looks, key=["bad", "warn", "ok"].index)
    assert "Set one by <code>tallygate prices set</code>." in text
    assert re.search(r"things? (is|are) wrong\.", text)


def test_whole_round_is_audited_and_made_once_a_minute(cast: Cast) -> None:
    client = client_of("admin")
    response = client.post("/settings/doctor/")
    assert ("deployment sonnet", "ok") in findings(response.content.decode())
    assert response["Cache-Control"] == "no-store"
    event = AuditEvent.objects.order_by("-pk")[0]
    assert (event.event, event.actor_name) == ("doctor.run", "root@example.com")
    assert "less than a minute ago" in client.post("/settings/doctor/", follow=True).content.decode()
    assert AuditEvent.objects.filter(event="doctor.run").count() == 1


def test_finding_with_markup_is_inert(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "unpriced", lambda names: iter([Line(EVIL, False, EVIL)]))
    text = text_of()
    assert "<script>" not in text
    assert "\u202e" not in text


def test_doctor_is_not_run_by_a_link(cast: Cast) -> None:
    assert client_of("admin").get("/settings/doctor/").status_code == 405


# ── processes ─────────────────────────────────────────────────────────────────
def beating(name: str, *, ago_s: int, lost: bool = False) -> None:
    now = timezone.now()
    beat = now - timedelta(seconds=ago_s)
    Instance.objects.create(id=name, host="gw-1", started_at=beat, beat_at=beat, lost_at=now if lost else None)


def test_processes_are_told_by_their_heartbeat(cast: Cast) -> None:
    beating("fresh", ago_s=1)
    beating("quiet", ago_s=60)
    beating("lost", ago_s=600, lost=True)
    beating("long-ago", ago_s=90_000, lost=True)
    found = re.findall(
        r'<span class="mono"><bdi>([\w-]+)</bdi></span>(?:<span.*?</span>)?</th><td class="p4"><span class="state (\w+)">', text_of()
    )
    assert found == [("fresh", "ok"), ("quiet", "warn"), ("lost", "bad")]


def test_journal_lines_that_nobody_could_post_are_told(cast: Cast, settings: Settings, tmp_path: Path) -> None:
    settings.TALLYGATE_HOME = tmp_path
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal/rejected.log").write_bytes(b"c odd\n")
    assert "rejected.log" in text_of()
