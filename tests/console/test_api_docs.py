"""The description of the management API at /api/docs: all of it from here."""

import re

from django.contrib.staticfiles import finders
from django.test import Client

PAGE = "/api/docs"


def test_page_loads_nothing_from_elsewhere() -> None:
    answer = Client().get(PAGE)
    addresses = re.findall(r'(?:src|href|action)="([^"]*)"', answer.content.decode())
    assert answer.status_code == 200
    assert len(addresses) >= 3
    assert {address[:8] for address in addresses} == {"/static/"}
    assert all(finders.find(address.removeprefix("/static/")) for address in addresses)


def test_page_runs_under_the_policy_of_all_pages() -> None:
    answer = Client().get(PAGE)
    policy = dict(part.strip().split(" ", 1) for part in answer["Content-Security-Policy"].split(";"))
    assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'self'", "'self'", "'self'")
    scripts = re.findall(r"<script([^>]*)>", answer.content.decode())
    assert all('src="/static/' in script or 'type="application/json"' in script for script in scripts)
    assert not re.search(r"<style| style=| on[a-z]+=", answer.content.decode())


def test_description_is_served_with_every_address() -> None:
    told = Client().get("/api/openapi.json").json()
    assert {"/key/generate", "/team/new", "/user/new", "/spend/logs"} <= told["paths"].keys()
