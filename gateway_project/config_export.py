"""The rows of routing, and what a file can say of money, as a LiteLLM config.yaml that `config_file.py` reads back to the same rows.

Rows are written with their names: where they are, the file means them and no others.
Secrets are never written, only where they lie. What such a file cannot say is told in `notes`, and so is whatever it would say otherwise
when read on this machine: the text is read back before it is handed out.
"""

import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from billing.models import Price
from billing.money import usd
from gateway_project.exported_keys import KeyWriter, WrittenKey
from gateway_project.file_money import as_written, own_budget, own_price, priced_name
from gateway_project.file_rows import DEFAULT_FIRST_BYTE_TIMEOUT_S, DEFAULT_IDLE_TIMEOUT_S, POLICY_COLUMNS
from gateway_project.model_list import OWN_CREDENTIAL, OWN_NAME, RESPONSES, FileDeployment, deployments_from
from gateway_project.price_keys import written_price
from gateway_project.router_file import EVERY_NAME, FALLBACK_KINDS, FilePolicy, policy_from
from gateway_project.yaml_source import Source
from routing.model_names import BEDROCK_WAYS
from routing.models import Credential, Deployment, Route, RouteTarget, RoutingPolicy

REGION_NAMES = {"bedrock": "aws_region_name", "vertex_ai": "vertex_location"}
POLICY_NAMES = {"strategy": "routing_strategy", "retries": "num_retries", "cooldown_s": "cooldown_time"}
# What a file has no words for.
ROUTE_ONLY = ("description", "strategy", "retries", "rpm_limit", "tpm_limit", "parallel_limit")
CHECKS = {"has_health_checks": "background_health_checks", "health_check_interval_s": "health_check_interval"}
HEAD = "# Routes, deployments and the policy of routing, written by `tallygate export`. No secret is in here.\n"


@dataclass(frozen=True, slots=True)
class Exported:
    """`notes` are lines about what is not in `data`, or would be read as something else."""

    data: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def deployments(self) -> int:
        return len(self.data["model_list"])

    def text(self) -> str:
        body = yaml.safe_dump(self.data, sort_keys=False, allow_unicode=True, width=120)
        return HEAD + "".join(f"# * {_one_line(note)}\n" for note in self.notes) + "\n" + body


def exported() -> Exported:
    writing = _Writing()
    routes = list(Route.objects.prefetch_related("targets__deployment__credential"))
    writing.add_routes([route for route in routes if writing.can_have(route)])
    writing.add_policy(RoutingPolicy.objects.first())
    writing.note_left_over()
    writing.read_back()
    return Exported(writing.data(), tuple(dict.fromkeys(writing.notes)))


@dataclass(slots=True)
class _Writing:
    """One going over the rows: `rows` is the file's model_list, `wanted` what each of them has to be read back as."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    general: dict[str, Any] = field(default_factory=dict)
    wanted: list[FileDeployment] = field(default_factory=list)
    router: dict[str, Any] = field(default_factory=dict)
    lists: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    keys: KeyWriter = field(default_factory=KeyWriter)
    written: dict[str, list[str]] = field(default_factory=dict)

    def can_have(self, route: Route) -> bool:
        if not route.is_active:
            self.notes.append(f"route {route.name} is switched off and left out")
        elif not _active(route):
            self.notes.append(f"route {route.name} leads to no active deployment and is left out")
        else:
            return True
        return False

    def add_routes(self, routes: list[Route]) -> None:
        leading: dict[tuple[Any, ...], Route] = {}
        for route in sorted(routes, key=_place):
            same = tuple(sorted((target.deployment_id, target.order, target.weight) for target in _active(route)))
            first = leading.setdefault(same, route)
            if first is route:
                self._add_targets(route)
            else:
                self.aliases[route.name] = first.name
            self._add_fallbacks(route, first)
            if unsaid := [name for name in ROUTE_ONLY if getattr(route, name) not in (None, "")]:
                self.notes.append(f"route {route.name}: {', '.join(unsaid)} cannot be said in this file")
        if self.aliases:
            self.router["model_group_alias"] = self.aliases

    def _add_targets(self, route: Route) -> None:
        for target in sorted(_active(route), key=lambda target: (len(target.deployment.name), target.deployment.name)):
            deployment = target.deployment
            key = self.keys.written(deployment)
            self.wanted.append(self._priced(_wanted(route, target, key)))
            self.rows.append(_row(self.wanted[-1], key.params))
            self.written.setdefault(deployment.pk, []).append(route.name)
            if deployment.connect_timeout_s != Deployment().connect_timeout_s:
                self.notes.append(f"deployment {deployment.name}: connect_timeout_s cannot be said in this file")
        for deployment in (target.deployment for target in route.targets.all() if not target.deployment.is_active):
            self.notes.append(f"deployment {deployment.name} of route {route.name} is switched off and left out")

    def _priced(self, row: FileDeployment) -> FileDeployment:
        known = own_price(priced_name(row))
        if known is None:
            return row
        if known.web_search_pico is not None:
            self.notes.append(f"price {known.provider}/{known.model}: web_search_pico cannot be said in this file")
        return replace(row, price=as_written(known))

    def data(self) -> dict[str, Any]:
        budget = own_budget()
        money = {"max_budget": float(usd(budget.amount_nano)), "budget_duration": budget.period} if budget else {}
        sections = {
            "general_settings": self.general,
            "litellm_settings": {name: value for name, value in money.items() if value != ""},
            "router_settings": self.router,
        }
        return {"model_list": self.rows, **{name: section for name, section in sections.items() if section}}

    def _add_fallbacks(self, route: Route, first: Route) -> None:
        """An alias falls back as the name that it stands for, unless it is said."""
        for kind in FALLBACK_KINDS:
            names = getattr(route, kind)
            is_said = names != getattr(first, kind) if first is not route else bool(names)
            if is_said and not (kind == "fallbacks" and route.name == EVERY_NAME):
                self.lists.setdefault(kind, {})[route.name] = names

    def add_policy(self, policy: RoutingPolicy | None) -> None:
        usual = RoutingPolicy()
        said = {name: getattr(policy, name) for name in POLICY_COLUMNS if policy and getattr(policy, name) != getattr(usual, name)}
        self.general |= {CHECKS[name]: _number(value) for name, value in said.items() if name in CHECKS}
        self.router |= {POLICY_NAMES.get(name, name): _number(value) for name, value in said.items() if name not in CHECKS}
        self.router |= {
            kind: [{name: others} for name, others in self.lists[kind].items()] for kind in FALLBACK_KINDS if kind in self.lists
        }
        if policy and policy.is_sticky != usual.is_sticky:
            self.notes.append("routing policy: is_sticky cannot be said in this file")

    def note_left_over(self) -> None:
        for row in Deployment.objects.filter(is_active=True).exclude(pk__in=self.written):
            if not row.targets.exists():
                self.notes.append(f"deployment {row.name} is behind no route and left out")
        priced = {priced_name(row) for row in self.wanted}
        self.notes += [
            f"price {price.provider}/{price.model} {price.variant}".rstrip() + " is left out"
            for price in Price.objects.order_by("provider", "model", "variant")
            if price.variant or (price.provider, price.model) not in priced
        ]
        used = Credential.objects.filter(deployments__in=self.written)
        self.notes += [f"credential {row.name} opens nothing here and is left out" for row in Credential.objects.exclude(pk__in=used)]
        self.notes += self.keys.notes

    def read_back(self) -> None:
        data = self.data()
        source = Source(Path("config.yaml"), data, {(): 1}, ())
        found, ignored = deployments_from(source)
        policy, unread = policy_from(source)
        self.notes += [f"{key} would have no effect" for key in (*ignored, *unread)]
        if len(found) == len(self.wanted):
            self.notes += [note for pair in zip(self.wanted, found, strict=True) if (note := _otherwise(*pair))]
        self.notes += _other_fallbacks(policy, [*dict.fromkeys(one.route for one in self.wanted), *self.aliases])


def _active(route: Route) -> list[RouteTarget]:
    return [target for target in route.targets.all() if target.deployment.is_active]


def _place(route: Route) -> tuple[bool, bool, str]:
    """Of several names for the same deployments the one that a file named them after comes first, and so does who gave a key its name."""
    rows = [target.deployment for target in _active(route)]
    names_all = all(row.name.startswith(f"{route.name} (") for row in rows)
    names_a_key = any(row.credential is not None and row.credential.name == f"{row.name} key" for row in rows)
    return not names_all, not names_a_key, route.name


def _wanted(route: Route, target: RouteTarget, key: WrittenKey) -> FileDeployment:
    row = target.deployment
    has_key = bool(key.reference or key.values)
    return FileDeployment(
        route.name,
        row.provider,
        row.model,
        key.reference,
        key.values,
        row.base_url,
        region=row.region,
        project=row.project,
        api=row.api,
        api_version=row.api_version,
        base_model=row.base_model,
        timeout_s=None if row.first_byte_timeout_s == DEFAULT_FIRST_BYTE_TIMEOUT_S else row.first_byte_timeout_s,
        stream_timeout_s=None if row.idle_timeout_s == DEFAULT_IDLE_TIMEOUT_S else row.idle_timeout_s,
        rpm=row.rpm_limit,
        tpm=row.tpm_limit,
        weight=target.weight,
        order=target.order,
        id="" if _is_random(row.pk) else row.pk,
        name=row.name,
        credential=row.credential.name if row.credential and has_key else "",
    )


def _row(row: FileDeployment, key: dict[str, str]) -> dict[str, Any]:
    way = f"{row.api}/" if row.provider == "bedrock" and row.api in BEDROCK_WAYS else ""
    params: dict[str, Any] = {
        "model": f"{row.provider}/{way}{row.model}",
        **key,
        "api_base": row.api_base,
        REGION_NAMES.get(row.provider, "region"): row.region,
        "vertex_project": row.project,
        "api_version": row.api_version,
        "rpm": row.rpm,
        "tpm": row.tpm,
        "timeout": row.timeout_s,
        "stream_timeout": row.stream_timeout_s,
        "weight": None if row.weight == (row.rpm or row.tpm or 1) else row.weight,
        "order": None if row.order == 1 else row.order,
    }
    info = {
        "id": row.id,
        "base_model": row.base_model,
        "supported_endpoints": [RESPONSES] if row.api == "responses" else None,
        OWN_NAME: row.name,
        OWN_CREDENTIAL: row.credential,
    }
    said_params = {name: _number(value) for name, value in params.items() if value not in (None, "")}
    found = {"model_name": row.route, "litellm_params": said_params | (written_price(row.price) if row.price else {})}
    said = {name: value for name, value in info.items() if value}
    return {**found, "model_info": said} if said else found


def _is_random(pk: str) -> bool:
    """An id that nobody chose."""
    try:
        return str(uuid.UUID(pk)) == pk
    except ValueError:
        return False


def _number(value: Any) -> Any:
    """60.0 as 60, which people write."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _otherwise(wanted: FileDeployment, found: FileDeployment) -> str:
    """Never the values of keys: what stands for them here may be one in the environment of the reader."""
    was, now = asdict(wanted), asdict(found)
    differing = [name for name in was if was[name] != now[name]]
    told = [name if name in ("reference", "api_key") else f"{name} {was[name]!r} as {now[name]!r}" for name in differing]
    return f"{wanted.route} ({wanted.provider}/{wanted.model}) would be read differently here: {', '.join(told)}" if told else ""


def _other_fallbacks(policy: FilePolicy, names: Iterable[str]) -> list[str]:
    routes = {route.name: route for route in Route.objects.filter(name__in=names)}
    found = ((name, kind, others) for name in routes for kind, others in policy.for_route(name).items())
    return [f"route {name}: {kind} would be read differently" for name, kind, others in found if others != getattr(routes[name], kind)]


def _one_line(text: str) -> str:
    return " ".join(text.split())
