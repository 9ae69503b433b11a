"""A gateway that is fed a secret of its own through each way in, and everything that it says and keeps: for tests that look for them."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.console.test_inert import IDS, LEFT_OUT, LINK
from tests.gateway_project.running import BOUND_S, Serving

WATCHED = Path(__file__).parents[1] / "fakes/watched"
WAYS_IN = (
    "master_key", "provider_key_of_environment", "provider_key_of_file", "typed_provider_key", "provider_key_of_model", "redis_password",
    "client_secret", "secret_header", "header_of_key", "unknown_key", "key_in_query", "token", "password", "wrong_password", "code",
    "sign_in_link", "cookie", "foreign_header", "prompt", "answered_tool", "broken_body", "csrf_token",
)  # fmt: skip
CANARY = {name: f"sk-canary-{number:02d}-{name.replace('_', '-')}-7f3a" for number, name in enumerate(WAYS_IN)}
# What a name of somebody's own choice is: it must be found, or the search would prove nothing.
KNOWN = "sk-canary-that-is-a-name"
NOWHERE = "http://127.0.0.1:1"
FILE = f"""
model_list:
  - model_name: demo-*
    litellm_params: {{model: demo/*}}
  - model_name: dead-end
    litellm_params: {{model: anthropic/claude-dead, api_base: "{NOWHERE}", api_key: {CANARY["provider_key_of_file"]}}}
"""
ENVIRONMENT = {
    "TALLYGATE_MASTER_KEY": CANARY["master_key"],
    "ANTHROPIC_API_KEY": CANARY["provider_key_of_environment"],
    "REDIS_URL": f"redis://:{CANARY['redis_password']}@127.0.0.1:1/0",
    "TALLYGATE_OIDC_ISSUER": NOWHERE,
    "TALLYGATE_OIDC_CLIENT_ID": "tallygate",
    "TALLYGATE_OIDC_CLIENT_SECRET": CANARY["client_secret"],
    "TALLYGATE_SSO_EMAIL_DOMAINS": "example.com",
    "TALLYGATE_ALLOWED_IPS": "127.0.0.1",
    "TALLYGATE_REQUIRED_HEADER": f"X-Door: {CANARY['secret_header']}",
}
# Where the operator's own secrets belong.
OWN_FILES = {"secrets.env", "first-run.txt"}
DEMO: dict[str, Any] = {"model": "demo-haiku", "max_tokens": 8}
OPEN_TO_ALL = ("/health/liveliness", "/health/readiness", "/api/hello", "/api/openapi.json", "/api/docs", "/accounts/login/")
MOST = 150


@dataclass
class Said:
    """Everything that was answered, by what was asked. `issued` is what one answer is there to tell; `own` are the home's own secrets."""

    answers: dict[str, httpx.Response] = field(default_factory=dict)
    issued: str = ""
    own: list[str] = field(default_factory=list)
    log: str = ""
    watched: str = ""
    kept: dict[str, str] = field(default_factory=dict)

    def places(self, text: str) -> list[str]:
        answered = [asked for asked, answer in self.answers.items() if text in f"{answer.headers.items()} {answer.text}"]
        return answered + [name for name, content in ({"log": self.log} | self.kept).items() if text in content]


class Walk:
    """Asks the gateway for everything, with secrets where secrets go."""

    def __init__(self, serving: Serving, home: Path) -> None:
        self.said = Said()
        self.home = home
        self.open = ExitStack()
        self._url = serving.url
        self._web = self.visitor()
        self._master = {"authorization": f"Bearer {CANARY['master_key']}"}

    def visitor(self) -> httpx.Client:
        headers = {"x-door": CANARY["secret_header"]}
        return self.open.enter_context(httpx.Client(base_url=self._url, timeout=BOUND_S, headers=headers))

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = self._web.request(method, path, **options)
        self.said.answers[f"{len(self.said.answers)} {method} {path.partition('?')[0]}"] = answer
        return answer

    def manage(self, path: str, **body: Any) -> httpx.Response:
        return self.ask("POST", path, json=body, headers=self._master)

    def rows(self) -> None:
        key = self.manage("/key/generate", key_alias=KNOWN, required_header={"name": "x-runner", "value": CANARY["header_of_key"]})
        self.said.issued = key.json()["key"]
        del self.said.answers[next(reversed(self.said.answers))]
        typed = {"credential_name": "typed", "credential_info": {"custom_llm_provider": "anthropic"}}
        self.manage("/credentials", **typed, credential_values={"api_key": CANARY["typed_provider_key"]})
        self.manage("/credentials", **typed, credential_values={"api_key": CANARY["typed_provider_key"]})
        model = {"model": "anthropic/claude-x", "api_base": "https://127.0.0.1:1", "api_key": CANARY["provider_key_of_model"]}
        self.manage("/model/new", model_name="inside", litellm_params=model)
        self.manage("/model/new", model_name="outside", litellm_params=model | {"api_base": "https://provider.example"})
        self.manage("/key/generate", key_alias=KNOWN, models=CANARY["broken_body"])

    def calls(self) -> None:
        ours = {"authorization": f"Bearer {self.said.issued}", "x-runner": CANARY["header_of_key"]}
        foreign = {"x-token": CANARY["foreign_header"], "cookie": f"a={CANARY['cookie']}"}
        tool = {"type": "tool_result", "tool_use_id": "t", "content": CANARY["answered_tool"]}
        used = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}}]}
        body = DEMO | {
            "system": CANARY["prompt"],
            "messages": [{"role": "user", "content": "hi"}, used, {"role": "user", "content": [tool]}],
        }
        for model in ("demo-haiku", "dead-end", "outside", "nothing", "demo-error-529"):
            for is_stream in (False, True):
                self.ask("POST", "/v1/messages", json=body | {"model": model, "stream": is_stream}, headers=ours | foreign)
        # A model may repeat what it was sent.
        self.said.answers = {asked: answer for asked, answer in self.said.answers.items() if not answer.is_success or "/v1/" not in asked}
        self.ask("POST", "/v1/chat/completions", json=body, headers=ours)
        self.ask("POST", "/v1/messages", content='{"model": "' + CANARY["broken_body"], headers=ours)
        for token in (CANARY["unknown_key"], f"eyJhbGciOiJIUzI1NiJ9.{CANARY['token']}.x"):
            for header in ({"authorization": f"Bearer {token}"}, {"x-api-key": token}, {"x-goog-api-key": token}):
                for path in ("/v1/messages", "/key/info", "/v1/models", "/spend/logs"):
                    self.ask("GET" if path != "/v1/messages" else "POST", path, headers=header)
        self.ask("POST", f"/gemini/v1beta/models/demo-haiku:generateContent?key={CANARY['key_in_query']}", json={})
        self.ask("GET", "/v1/messages", headers=ours)

    def sign_in(self) -> None:
        form = {"login": "root", "password": CANARY["wrong_password"], "csrfmiddlewaretoken": CANARY["csrf_token"]}
        self.ask("POST", "/accounts/login/", data=form)
        self.ask("GET", "/accounts/login/")
        self.ask("POST", "/accounts/login/", data=form | {"csrfmiddlewaretoken": self._web.cookies["csrftoken"]})
        self.ask("GET", f"/accounts/oidc/company/login/callback/?code={CANARY['code']}&state={CANARY['code']}")
        self.ask("GET", "/accounts/oidc/company/login/")
        self.ask("GET", f"/login/MQ/x-{CANARY['sign_in_link']}/")
        link = re.findall(r"https?://[^/]+(/login/\S+)", (self.home / "first-run.txt").read_text())[0]
        self._web.get(link, follow_redirects=True)

    def person(self) -> None:
        """Somebody with a password, made in the admin, who then signs in with it."""
        self.ask("GET", "/admin/keys/user/add/")
        form = {"username": "carol", "role": "member", "is_active": "on", "metadata": "{}", "new_password": CANARY["password"]}
        self.ask("POST", "/admin/keys/user/add/", data=form | {"csrfmiddlewaretoken": self._web.cookies["csrftoken"]})
        administrator, self._web = self._web, self.visitor()
        self.ask("GET", "/accounts/login/")
        right = {"login": "carol", "password": CANARY["password"], "csrfmiddlewaretoken": self._web.cookies["csrftoken"]}
        self.ask("POST", "/accounts/login/", data=right)
        self._web = administrator

    def pages(self) -> None:
        """One page of each kind that an administrator can reach."""
        waiting = ["/", "/admin/", "/settings/", "/connect/", "/api/reports/keys/", "/api/openapi.json", "/health/readiness", "/api/docs"]
        known, visits = set(waiting), 0
        while waiting and visits < MOST:
            visits, answer = visits + 1, self.ask("GET", waiting.pop(0), headers={"accept": "text/html,*/*"}, follow_redirects=True)
            for link in (link.replace("&amp;", "&") for link in LINK.findall(answer.text)):
                kind = IDS.sub("1", link)
                if kind not in known and not LEFT_OUT.search(link):
                    known.add(kind)
                    waiting.append(link)
        for path in OPEN_TO_ALL:
            self.said.answers[path] = httpx.get(self._url + path, timeout=BOUND_S)
        for path in ("/key/list", "/model/info", "/credentials", "/spend/logs", "/user/list", "/team/list", "/health", "/v1/models"):
            self.ask("GET", path, headers=self._master)


def kept_in(home: Path) -> Iterator[tuple[str, str]]:
    """Every file of the home, databases as the SQL that would make them again."""
    for path in home.rglob("*"):
        if path.suffix == ".sqlite3":
            with closing(sqlite3.connect(path)) as database:
                yield path.name, "\n".join(database.iterdump())
        if path.is_file() and path.name not in OWN_FILES:
            yield f"bytes of {path.name}", path.read_bytes().decode(errors="replace")


def walked(folder: Path) -> Said:
    home = folder / "home"
    (folder / "config.yaml").write_text(FILE)
    watched = {"PYTHONPATH": str(WATCHED), "WATCHED": str(folder / "watched")}
    serving = Serving(home, "--config", str(folder / "config.yaml"), port=0, **ENVIRONMENT, **watched)
    walk = Walk(serving, home)
    try:
        with walk.open:
            for part in (walk.rows, walk.calls, walk.sign_in, walk.person, walk.pages):
                part()
        walk.said.kept = dict(kept_in(home))
    finally:
        walk.said.log = serving.stop()[1]
    walk.said.kept |= {f"{name} at the end": text for name, text in kept_in(home)}
    walk.said.own = [line.partition("=")[2] for line in (home / "secrets.env").read_text().splitlines() if "=" in line]
    walk.said.watched = (folder / "watched").read_text()
    return walk.said
