"""Who may do what at the management API: one row for each operation and kind of object, one column for each role.

Object rows come in pairs: an object of Search, where member, viewer and manager are, and one of Sales, where the outsider is.
The leader manages Acme, the organisation that Search is part of. `$name` stands for an id of the cast.
"""

from dataclasses import dataclass
from string import Template
from typing import Any

ROLES = ("nobody", "unknown", "member", "outsider", "viewer", "finance", "manager", "leader", "admin", "master")
STATUSES = {"o": {200}, "x": {403}, "k": {401}, "-": {404}, "?": {400, 422}, "s": {503}}

# nobody, unknown | member, outsider, viewer, finance | manager, leader | admin, master
EVERYBODY = "kk oooo oo oo"
ADMINS = "kk xxxx xx oo"
ACCOUNTANTS = "kk xxxo xx oo"
MANAGERS = "kk xxxx oo oo"
# of a thing in Search, by those who belong to it
MEMBERS = "kk oxox oo oo"
OWNER = "kk oxxx oo oo"
FOREIGN = "kk xoxx xx oo"
NOT_THERE = "kk xxxx xx --"
# administrators learn where it is done instead
ELSEWHERE = "kk xxxx xx ??"


@dataclass(frozen=True)
class Row:
    operation: str
    expected: str
    sent: Any = None
    query: str = ""
    about: str = ""
    path: str = ""

    @property
    def name(self) -> str:
        return f"{self.operation} {self.about}".strip()

    def columns(self) -> dict[str, str]:
        return dict(zip(ROLES, self.expected.replace(" ", ""), strict=True))

    def address(self, names: dict[str, str]) -> str:
        path = self.path or self.operation.split()[1]
        return Template(f"{path}?{self.query}" if self.query else path).substitute(names)


def pairs(operation: str, own: str, field: str, values: tuple[str, str], *, foreign: str = ADMINS, **more: Any) -> tuple[Row, Row]:
    """The same for an object of Search and for one of Sales."""
    return (
        Row(operation, own, {field: values[0]} | more, about="in Search"),
        Row(operation, foreign, {field: values[1]} | more, about="in Sales"),
    )


def looked_at(operation: str, own: str, field: str, values: tuple[str, str], *, foreign: str = ADMINS, more: str = "") -> tuple[Row, Row]:
    return (
        Row(operation, own, query=f"{field}={values[0]}{more}", about="in Search"),
        Row(operation, foreign, query=f"{field}={values[1]}{more}", about="in Sales"),
    )


KEYS, TEAMS, ORGANISATIONS = ("$bobs", "$charlies"), ("$search", "$sales"), ("$acme", "$globex")
PEOPLE = ("$member", "$outsider")
DAYS = "start_date=2025-01-01&end_date=2025-01-31"

KEY_ROWS = (
    Row("POST /key/generate", ADMINS, {}, about="without a team"),
    Row("POST /key/generate", "kk oxxx oo oo", {"team_id": "$search"}, about="in Search"),
    Row("POST /key/generate", "kk xoxx xx oo", {"team_id": "$sales"}, about="in Sales"),
    Row("POST /key/generate", "kk oxxx oo oo", {"team_id": "$search", "user_id": "$member"}, about="for a member"),
    Row("POST /key/generate", ADMINS, {"team_id": "$search", "user_id": "$outsider"}, about="for somebody of another team"),
    Row("POST /key/generate", ADMINS, {"team_id": "$search", "organization_id": "$globex"}, about="of another organization"),
    *pairs("POST /key/update", MANAGERS, "key", KEYS, models=["claude-haiku"]),
    Row("POST /key/update", ADMINS, {"key": "$bobs", "team_id": "$sales"}, about="into another team"),
    Row("POST /key/update", ADMINS, {"key": "$bobs", "team_id": None}, about="out of its team"),
    Row("POST /key/update", ADMINS, {"key": "$bobs", "user_id": "$admin"}, about="to an administrator"),
    Row("POST /key/update", NOT_THERE, {"key": "no-such-key"}, about="of nobody"),
    *pairs("POST /key/regenerate", OWNER, "key", KEYS, foreign=FOREIGN),
    Row("POST /key/regenerate", "kk xxxx xx oo", {"key": "$admin_own"}, about="of an administrator"),
    Row("POST /key/{path:key}/regenerate", OWNER, {}, path="/key/$bobs/regenerate", about="in Search"),
    Row("POST /key/{path:key}/regenerate", FOREIGN, {}, path="/key/$charlies/regenerate", about="in Sales"),
    Row("POST /key/delete", MANAGERS, {"keys": ["$bobs"]}, about="in Search"),
    Row("POST /key/delete", ADMINS, {"keys": ["$bobs", "$charlies"]}, about="of both"),
    Row("POST /key/delete", ADMINS, {"key_aliases": ["charlies"]}, about="by alias"),
    *pairs("POST /key/block", OWNER, "key", KEYS, foreign=FOREIGN),
    *pairs("POST /key/unblock", MANAGERS, "key", KEYS),
    Row("GET /key/info", "kk oooo oo o?", about="of the key that asks"),
    *looked_at("GET /key/info", "kk oxxx oo oo", "key", KEYS, foreign=FOREIGN),
    Row("GET /key/info", NOT_THERE, query="key=no-such-key", about="of nobody"),
    Row("POST /key/health", EVERYBODY),
    Row("GET /key/aliases", EVERYBODY),
    *looked_at("GET /key/aliases", MEMBERS, "team_id", TEAMS, foreign=FOREIGN),
    Row("GET /key/list", EVERYBODY),
    *looked_at("GET /key/list", MEMBERS, "team_id", TEAMS, foreign=FOREIGN),
    Row("GET /key/list", "kk oxxx oo oo", query="user_id=$member", about="of the member"),
    *looked_at("GET /key/list", "kk xxxx xo oo", "organization_id", ORGANISATIONS),
)
TEAM_ROWS = (
    Row("POST /team/new", ADMINS, {"team_alias": "New"}),
    *pairs("POST /team/update", MANAGERS, "team_id", TEAMS, team_alias="Renamed"),
    *pairs("POST /team/update", MANAGERS, "team_id", TEAMS, max_budget=5),
    Row("POST /team/update", ADMINS, {"team_id": "$search", "organization_id": "$globex"}, about="into another organization"),
    Row("POST /team/update", ADMINS, {"team_id": "$search", "blocked": True}, about="blocked"),
    *looked_at("GET /team/info", "kk oxoo oo oo", "team_id", TEAMS, foreign="kk xoxo xx oo"),
    Row("GET /team/info", "kk xxx- xx --", query="team_id=no-such-team", about="that is not there"),
    Row("GET /team/list", EVERYBODY),
    Row("GET /team/list", "kk oxxo oo oo", query="user_id=$member", about="of the member"),
    *(Row(f"POST /team/{verb}", ADMINS, {"team_id": "$search"}) for verb in ("block", "unblock")),
    Row("POST /team/delete", ADMINS, {"team_ids": ["$search"]}),
    Row("POST /team/model/add", ADMINS, {"team_id": "$search", "models": ["claude-haiku"]}),
    Row("POST /team/model/delete", ADMINS, {"team_id": "$search", "models": ["claude-haiku"]}),
    Row("GET /team/available", ADMINS),
    *pairs("POST /team/member_add", MANAGERS, "team_id", TEAMS, member={"user_id": "$newcomer"}),
    Row("POST /team/member_update", MANAGERS, {"team_id": "$search", "user_id": "$member", "role": "admin"}, about="in Search"),
    Row("POST /team/member_update", ADMINS, {"team_id": "$sales", "user_id": "$outsider", "role": "admin"}, about="in Sales"),
    Row("POST /team/member_delete", MANAGERS, {"team_id": "$search", "user_id": "$member"}, about="in Search"),
    Row("POST /team/member_delete", ADMINS, {"team_id": "$sales", "user_id": "$outsider"}, about="in Sales"),
)
PEOPLE_ROWS = (
    Row("POST /user/new", ADMINS, {"user_email": "new@example.com"}),
    *pairs("POST /user/update", ADMINS, "user_id", PEOPLE, user_role="proxy_admin"),
    Row("POST /user/delete", ADMINS, {"user_ids": ["$newcomer"]}),
    Row("GET /user/info", EVERYBODY),
    *looked_at("GET /user/info", "kk oxxx xx oo", "user_id", PEOPLE, foreign=FOREIGN),
    Row("GET /user/list", ADMINS),
    Row("POST /organization/new", ADMINS, {"organization_alias": "New"}),
    *pairs("PATCH /organization/update", ADMINS, "organization_id", ORGANISATIONS, organization_alias="Renamed"),
    Row("DELETE /organization/delete", ADMINS, {"organization_ids": ["$globex"]}),
    *looked_at("GET /organization/info", ADMINS, "organization_id", ORGANISATIONS),
    Row("POST /organization/info", ADMINS, {"organizations": ["$acme"]}),
    Row("GET /organization/list", ADMINS),
    Row("POST /organization/member_add", ADMINS, {"organization_id": "$acme", "member": {"user_id": "$newcomer"}}),
    Row("PATCH /organization/member_update", ADMINS, {"organization_id": "$acme", "user_id": "$leader", "role": "internal_user"}),
    Row("DELETE /organization/member_delete", ADMINS, {"organization_id": "$acme", "user_id": "$leader"}),
)
CUSTOMER_ROWS = tuple(
    row
    for path in ("customer", "end_user")
    for row in (
        Row(f"POST /{path}/new", ADMINS, {"user_id": "new"}),
        Row(f"POST /{path}/update", ADMINS, {"user_id": "$customer", "alias": "Renamed"}),
        Row(f"POST /{path}/delete", ADMINS, {"user_ids": ["$customer"]}),
        Row(f"POST /{path}/block", ADMINS, {"user_ids": ["$customer"]}),
        Row(f"POST /{path}/unblock", ADMINS, {"user_ids": ["$customer"]}),
        Row(f"GET /{path}/info", ADMINS, query="end_user_id=$customer"),
        Row(f"GET /{path}/list", ADMINS),
    )
)
MONEY_ROWS = (
    Row("POST /budget/new", ADMINS, {"max_budget": 5}),
    Row("POST /budget/update", ADMINS, {"budget_id": "$plan", "max_budget": 6}),
    Row("POST /budget/delete", ADMINS, {"id": "$plan"}),
    Row("POST /budget/info", ACCOUNTANTS, {"budgets": ["$plan"]}),
    Row("GET /budget/list", ACCOUNTANTS),
    Row("GET /budget/settings", ACCOUNTANTS, query="budget_id=$plan"),
    Row("POST /spend/calculate", EVERYBODY, {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "hello"}]}),
    *(Row(f"GET /spend/{name}", EVERYBODY) for name in ("logs", "keys", "users")),
    *(Row(f"GET /spend/logs/{name}", EVERYBODY, query=DAYS) for name in ("v2", "ui")),
    *looked_at("GET /spend/logs", "kk xxxo oo oo", "api_key", KEYS, foreign=ACCOUNTANTS),
    *looked_at("GET /spend/logs", "kk oxxo oo oo", "user_id", PEOPLE, foreign="kk xoxo xx oo"),
    Row("GET /spend/tags", "kk xxxo oo oo"),
    *(Row(f"GET /global/spend{name}", EVERYBODY) for name in ("", "/keys", "/models")),
    Row("GET /global/spend/teams", EVERYBODY, query=DAYS),
    *looked_at("GET /global/spend/report", "kk xxxo oo oo", "team_id", TEAMS, foreign=ACCOUNTANTS, more=f"&{DAYS}"),
    *(Row(f"GET /global/activity{name}", EVERYBODY, query=DAYS) for name in ("", "/model")),
    Row("GET /user/daily/activity", EVERYBODY, query=DAYS),
    *looked_at("GET /team/daily/activity", "kk xxxo oo oo", "team_ids", TEAMS, foreign=ACCOUNTANTS, more=f"&{DAYS}"),
    Row("GET /tag/daily/activity", "kk xxxo oo oo", query=DAYS),
    *(Row(f"GET /{name}/daily/activity", EVERYBODY, query=DAYS) for name in ("customer", "end_user")),
)
GATEWAY_ROWS = (
    Row("GET /cache/ping", "kk xxxx xx ss"),  # there is none
    Row("GET /health", ADMINS, query="model=no-such-model"),
    *(Row(f"GET {path}", ADMINS) for path in ("/callbacks/list", "/get/config/callbacks")),
    Row(
        "POST /model/new",
        ADMINS,
        {"model_name": "new", "litellm_params": {"model": "openai/gpt-5", "api_key": "os.environ/OPENAI_API_KEY"}},
    ),
    Row("POST /model/update", ADMINS, {"model_info": {"id": "$model"}, "litellm_params": {"rpm": 5}}),
    Row("POST /model/delete", ADMINS, {"id": "$model"}),
    Row("POST /tag/new", ADMINS, {"name": "new"}),
    Row("POST /tag/update", ADMINS, {"name": "$tag", "description": "changed"}),
    Row("POST /tag/delete", ADMINS, {"name": "$tag"}),
    Row("POST /tag/info", ADMINS, {"names": ["$tag"]}),
    Row("GET /tag/list", ADMINS),
)
CREDENTIAL = "/credentials/{path:credential_name}"
OPENAI = {"custom_llm_provider": "openai"}
PASSING = "/config/pass_through_endpoint"
OPERATOR_ROWS = (
    Row("GET /credentials", ADMINS),
    Row("POST /credentials", ADMINS, {"credential_name": "new", "credential_values": {"api_key": "sk-x"}, "credential_info": OPENAI}),
    Row("GET /credentials/by_model/{path:model_id}", ADMINS, path="/credentials/by_model/$model"),
    Row("GET /credentials/by_name/{path:credential_name}", ADMINS, path="/credentials/by_name/$credential"),
    Row(f"GET {CREDENTIAL}", ADMINS, path="/credentials/$credential"),
    *(
        Row(f"{method} {CREDENTIAL}", ADMINS, {"credential_values": {"api_key": "sk-y"}}, path="/credentials/$credential")
        for method in ("PATCH", "PUT", "DELETE")
    ),
    Row("GET /config/list", ADMINS, query="config_type=general_settings"),
    Row("GET /config/field/info", ADMINS, query="field_name=master_key"),
    *(Row(f"GET {path}", ADMINS) for path in ("/config/yaml", PASSING, "/active/callbacks")),
    *(Row(f"{method} {PASSING}", ELSEWHERE, {"path": "/x", "target": "http://127.0.0.1"}) for method in ("POST", "DELETE")),
    *(Row(f"POST /config/field/{verb}", ELSEWHERE, {"field_name": "master_key"}) for verb in ("update", "delete")),
    Row("POST /config/update", ELSEWHERE, {"general_settings": {"allowed_ips": []}}),
)
ROWS = (*KEY_ROWS, *TEAM_ROWS, *PEOPLE_ROWS, *CUSTOMER_ROWS, *MONEY_ROWS, *GATEWAY_ROWS, *OPERATOR_ROWS)
# Operations that change nothing, though they are not GET.
READING = frozenset({"POST /key/health", "POST /budget/info", "POST /organization/info", "POST /spend/calculate", "POST /tag/info"})
# What has to be done first, so that there is something to change.
FIRST = {f"POST /{thing}/unblock": [f"POST /{thing}/block"] for thing in ("key", "team", "customer", "end_user")}
FIRST["POST /team/model/delete"] = ["POST /team/model/add"]
