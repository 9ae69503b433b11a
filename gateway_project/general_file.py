"""`general_settings` of a config.yaml as what acts as environment; and a budget and callbacks, which stand in `litellm_settings`."""

from dataclasses import dataclass
from ipaddress import ip_network
from urllib.parse import urlsplit

from gateway_project.yaml_source import Place, Source

GENERAL = "general_settings"
LITELLM = "litellm_settings"
HONOURED_GENERAL = {"master_key": "master_key", "database_url": "database_url", "litellm_key_header_name": "key_header"}
# Our own, for those who come from LiteLLM; whether the word is right is said where the setting is read.
FOR_MOVERS = frozenset({"litellm_compat", "litellm_test_fields"})
COUNTS = {"global_max_parallel_requests": "max_in_flight", "max_request_size_mb": "body_limit_mb"}
# Read with the policy of routing.
OF_POLICY = frozenset({"background_health_checks", "health_check_interval"})
OF_TOKENS = frozenset({"enable_jwt_auth", "litellm_jwtauth"})
# What is always so here: to ask for it needs no word, to forbid it does.
ALWAYS_SO = frozenset({"enforce_budget", "store_model_in_db", "fail_closed_budget_enforcement", "allow_requests_on_db_unavailable"})
# Doors of ours, and the host to which somebody's pass-through of that path leads.
DOORS = {
    "/anthropic": "api.anthropic.com",
    "/openai": "api.openai.com",
    "/gemini": "generativelanguage.googleapis.com",
    "/vertex_ai": "aiplatform.googleapis.com",
    "/bedrock": "amazonaws.com",
    "/azure": "openai.azure.com",
}
CALLBACKS = {"callbacks": "success_and_failure", "success_callback": "success", "failure_callback": "failure"}


@dataclass(frozen=True, slots=True)
class FileBudget:
    """LiteLLM's budget for the whole proxy; `amount` are dollars as they were written."""

    amount: str
    period: str = ""


def general_from(source: Source) -> tuple[dict[str, str], list[str]]:
    """The honoured general_settings under our names, and the dotted keys of the others."""
    environment, ignored = {}, []
    for name, value in source.section(GENERAL).items():
        place = (GENERAL, name)
        ours = HONOURED_GENERAL.get(name) or COUNTS.get(name)
        if ours is not None:
            if found := source.text(value, *place) if name in HONOURED_GENERAL else _count(source, value, place):
                environment[ours] = found
        elif name == "allowed_ips":
            if networks := _networks(source, value, place):
                environment["allowed_ips"] = networks
        elif name in FOR_MOVERS:
            if found := _word(source, value):
                environment[name] = found
        elif name == "pass_through_endpoints":
            ignored += _without_door(source, value, place)
        elif name not in OF_POLICY | OF_TOKENS and not _asks_for_nothing(source, name, value):
            ignored.append(f"{GENERAL}.{name}")
    return environment, ignored


def asks_for_nothing(value: object) -> bool:
    """What is switched off, or not filled in, has no effect anywhere."""
    return value is None or value is False or value in ("", [], {})


def _asks_for_nothing(source: Source, name: str, value: object) -> bool:
    if name in ALWAYS_SO:
        return source.resolved(value) is True
    return asks_for_nothing(value)


def _word(source: Source, value: object) -> str:
    """YAML makes more of yes and no than words."""
    found = source.resolved(value)
    return "" if found is None else str(found).strip().lower()


def _count(source: Source, value: object, place: Place) -> str:
    found = source.number(value, *place)
    return "" if found is None else str(int(found))


def _networks(source: Source, value: object, place: Place) -> str:
    """A name that is not set is a mistake here: a list that is empty by accident would open the door to everybody."""
    written = source.resolved(value)
    words = [written] if isinstance(written, str) else written
    if value is not None and not (isinstance(words, list) and all(isinstance(word, str) for word in words)):
        raise source.wrong(place, "must be a list of addresses or ranges such as 10.0.0.0/8.")
    found = [part.strip() for word in words or [] for part in word.split(",")]
    if not all(map(_is_network, found)):
        raise source.wrong(place, "must hold addresses or ranges such as 10.0.0.0/8, and nothing else.")
    return ",".join(found)


def _is_network(word: str) -> bool:
    try:
        ip_network(word, strict=False)
    except ValueError:
        return False
    return True


def _without_door(source: Source, value: object, place: Place) -> list[str]:
    """Each path for which there is no door of ours to the same host."""
    rows = source.resolved(value) or []
    if not isinstance(rows, list):
        raise source.wrong(place, "must be a list of rows with path: and target:.")
    paths = [(row.get("path"), row.get("target")) for row in rows if isinstance(row, dict)]
    return [f"{GENERAL}.{place[1]} ({path})" for path, target in paths if not _is_door(path, target)]


def _is_door(path: object, target: object) -> bool:
    host = DOORS.get(str(path).rstrip("/"))
    found = urlsplit(str(target)).hostname or ""
    return host is not None and (found == host or found.endswith((f".{host}", f"-{host}")))


def budget_from(source: Source) -> FileBudget | None:
    """`max_budget` and `budget_duration` of litellm_settings."""
    section = source.section(LITELLM)
    amount = source.number(section.get("max_budget"), LITELLM, "max_budget")
    if amount is None:
        return None
    written = source.resolved(section["max_budget"])
    return FileBudget(str(written).strip(), source.text(section.get("budget_duration"), LITELLM, "budget_duration"))


def callbacks_from(source: Source) -> dict[str, list[str]]:
    """LiteLLM's names of what is to be told of calls, by when they are told."""
    found: dict[str, list[str]] = {}
    for key, when in CALLBACKS.items():
        written = source.resolved(source.section(LITELLM).get(key)) or []
        names = [written] if isinstance(written, str) else written
        found[when] = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return found
