"""`router_settings` of a LiteLLM config.yaml, with what `litellm_settings` says of the same: strategy, retries, fallbacks, aliases."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway_project.general_file import GENERAL, LITELLM, asks_for_nothing
from gateway_project.yaml_source import Source

Names = tuple[str, ...]
Lists = Mapping[str, Names]

STRATEGIES = {
    "simple-shuffle": "simple-shuffle",
    "least-busy": "least-busy",
    "latency-based-routing": "latency-based-routing",
    "usage-based-routing": "usage-based-routing-v2",
    "usage-based-routing-v2": "usage-based-routing-v2",
    "cost-based-routing": "cost-based-routing",
}
FALLBACK_KINDS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
# What both sections know; router_settings wins. LiteLLM calls the time limit differently in each.
SHARED = (*FALLBACK_KINDS, "default_fallbacks", "num_retries", "model_group_alias")
OF_ROUTER = frozenset(
    {*SHARED, "routing_strategy", "allowed_fails", "cooldown_time", "disable_cooldowns", "retry_after", "timeout",
     "stream_timeout", "enable_pre_call_checks", "optional_pre_call_checks"}
)  # fmt: skip
OF_LITELLM = frozenset({*SHARED, "request_timeout", "allowed_fails"})
# Read elsewhere.
OF_MONEY = frozenset({"max_budget", "budget_duration"})
# Sessions stay where they are without being asked to, and capacities are always looked at.
ALWAYS_ON = frozenset({"prompt_caching", "deployment_affinity", "session_affinity", "enforce_model_rate_limits"})
EVERY_NAME = "*"


@dataclass(frozen=True, slots=True)
class FilePolicy:
    """What the file says about choosing and trying again; None where it says nothing. `aliases` are other names of routes."""

    strategy: str | None = None
    retries: int | None = None
    allowed_fails: int | None = None
    cooldown_s: float | None = None
    timeout_s: float | None = None
    stream_timeout_s: float | None = None
    has_health_checks: bool | None = None
    health_check_interval_s: float | None = None
    default_fallbacks: Names | None = None
    fallbacks: Lists = field(default_factory=dict)
    context_window_fallbacks: Lists = field(default_factory=dict)
    content_policy_fallbacks: Lists = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)

    def for_all(self) -> dict[str, Any]:
        """The columns of RoutingPolicy that the file decides."""
        said = {
            "strategy": self.strategy,
            "retries": self.retries,
            "allowed_fails": self.allowed_fails,
            "cooldown_s": self.cooldown_s,
            "has_health_checks": self.has_health_checks,
            "health_check_interval_s": self.health_check_interval_s,
            "default_fallbacks": None if self.default_fallbacks is None else list(self.default_fallbacks),
        }
        return {name: value for name, value in said.items() if value is not None}

    def for_route(self, name: str) -> dict[str, Any]:
        """The columns of a Route that the file decides; an alias falls back as its route does."""
        route = self.aliases.get(name, name)
        lists = (self.fallbacks, self.context_window_fallbacks, self.content_policy_fallbacks)
        return {kind: list(names.get(name, names.get(route, ()))) for kind, names in zip(FALLBACK_KINDS, lists, strict=True)}


def policy_from(source: Source) -> tuple[FilePolicy, list[str]]:
    """The policy, and the dotted keys of both sections that have no effect."""
    reading = _Reading(source, _groups(source))
    policy = reading.policy()
    ignored = [f"router_settings.{name}" for name, value in reading.router.items() if name not in OF_ROUTER and not asks_for_nothing(value)]
    known = OF_LITELLM | OF_MONEY
    ignored += [f"{LITELLM}.{name}" for name, value in reading.general.items() if name not in known and not asks_for_nothing(value)]
    return policy, [*ignored, *reading.ignored]


def _groups(source: Source) -> dict[str, list[str]]:
    """Deployments as the file writes them (`bedrock/anthropic.claude-…`) → the names that lead to them: fallbacks name either."""
    found: dict[str, list[str]] = {}
    rows = source.data.get("model_list")
    for row in rows if isinstance(rows, list) else ():
        params = row.get("litellm_params") if isinstance(row, dict) else None
        named = params.get("model") if isinstance(params, dict) else None
        if isinstance(named, str) and isinstance(row.get("model_name"), str):
            found.setdefault(named, []).append(row["model_name"])
    return found


class _Reading:
    """One going over the two sections."""

    def __init__(self, source: Source, groups: Mapping[str, list[str]]) -> None:
        self.source = source
        self.router = source.section("router_settings")
        self.general = source.section(LITELLM)
        self.ignored: list[str] = []
        self._groups = groups
        self._own_names = {name for names in groups.values() for name in names}

    def policy(self) -> FilePolicy:
        lists = {kind: self._lists(kind) for kind in FALLBACK_KINDS}
        for_every_name = lists["fallbacks"].pop(EVERY_NAME, None)
        said = self._find("default_fallbacks")
        default = self._names_of(*said) if said else for_every_name
        self._look_at_checks()
        return FilePolicy(
            strategy=self._strategy(),
            retries=self._whole("num_retries"),
            allowed_fails=self._whole("allowed_fails"),
            cooldown_s=0.0 if self._is_on("disable_cooldowns") else self._number("cooldown_time"),
            timeout_s=self._number("timeout", "request_timeout") or None,
            stream_timeout_s=self._number("stream_timeout") or None,
            has_health_checks=self._has_checks(),
            health_check_interval_s=self._checked_every_s(),
            default_fallbacks=default,
            aliases=self._aliases(),
            **lists,
        )

    def _find(self, name: str, elsewhere: str = "") -> tuple[Any, str, str] | None:
        """(value, section, name) of a key that may stand in either section."""
        if self.router.get(name) is not None:
            return self.router[name], "router_settings", name
        other = elsewhere or name
        if other in OF_LITELLM and self.general.get(other) is not None:
            return self.general[other], LITELLM, other
        return None

    def _number(self, name: str, elsewhere: str = "") -> float | None:
        found = self._find(name, elsewhere)
        return self.source.number(*found) if found else None

    def _whole(self, name: str) -> int | None:
        amount = self._number(name)
        return None if amount is None else int(amount)

    def _is_on(self, name: str) -> bool:
        return bool(self.source.flag(self.router.get(name), "router_settings", name))

    def _has_checks(self) -> bool | None:
        name = "background_health_checks"
        return self.source.flag(self.source.section(GENERAL).get(name), GENERAL, name) or None

    def _checked_every_s(self) -> float | None:
        name = "health_check_interval"
        return self.source.number(self.source.section(GENERAL).get(name), GENERAL, name) or None

    def _strategy(self) -> str | None:
        written = self.source.text(self.router.get("routing_strategy"), "router_settings", "routing_strategy")
        if written and written not in STRATEGIES:
            self.ignored.append(f"router_settings.routing_strategy ({written})")
        return STRATEGIES.get(written)

    def _look_at_checks(self) -> None:
        """What is always so needs no saying; what is not is told."""
        if self._number("retry_after"):
            self.ignored.append("router_settings.retry_after")
        checks = self.router.get("optional_pre_call_checks") or []
        if not isinstance(checks, list):
            raise self.source.wrong(("router_settings", "optional_pre_call_checks"), "must be a list.")
        self.ignored += [f"router_settings.optional_pre_call_checks ({check})" for check in checks if check not in ALWAYS_ON]

    def _lists(self, kind: str) -> dict[str, Names]:
        """Both spellings: `{name: [others]}` and `{model_name: name, fallback_models: [others]}`."""
        found = self._find(kind)
        if found is None:
            return {}
        value, *place = found
        if not isinstance(value, list):
            raise self.source.wrong(tuple(place), "must be a list of rows such as `- claude-sonnet: [claude-haiku]`.")
        lists: dict[str, Names] = {}
        for number, row in enumerate(value):
            if not isinstance(row, dict) or not row:
                raise self.source.wrong((*place, number), "must be a row such as `claude-sonnet: [claude-haiku]`.")
            pairs = {row["model_name"]: row.get("fallback_models")} if "model_name" in row else row
            for name, others in pairs.items():
                own = str(name)
                names = self._names_of(others, *place, number, own)
                lists[own] = (*lists.get(own, ()), *(other for other in names if other != own))
        return lists

    def _names_of(self, value: Any, *place: str | int) -> Names:
        """Public names in their order. One written as a deployment stands for the name that leads to it."""
        written = [value] if isinstance(value, str) else value
        if not isinstance(written, list):
            raise self.source.wrong(place, "must be a list of model names.")
        names: list[str] = []
        for entry in written:
            name = self.source.resolved(entry.get("model") if isinstance(entry, dict) else entry)
            if not isinstance(name, str) or not name:
                raise self.source.wrong(place, "must be a list of model names.")
            if isinstance(entry, dict) and len(entry) > 1:
                self.ignored.append(f"{place[0]}.{place[1]} (what {name} is given besides its name)")
            groups = [] if name in self._own_names else self._groups.get(name, [])
            names += groups or [name]
        return tuple(dict.fromkeys(names))

    def _aliases(self) -> dict[str, str]:
        said = self._find("model_group_alias")
        if said is None:
            return {}
        found: dict[str, str] = {}
        place = said[1:]
        for alias, value in self.source.section(*place).items():
            target = value.get("model") if isinstance(value, dict) else value
            found[alias] = self.source.text(target, *place, alias)
            if not found[alias]:
                raise self.source.wrong((*place, alias), "must name the model that it stands for.")
            if isinstance(value, dict) and value.get("hidden"):
                self.ignored.append(f"{place[0]}.model_group_alias.{alias}.hidden")
        return found
