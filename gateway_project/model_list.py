"""`model_list` of a LiteLLM config.yaml as deployments."""

from dataclasses import dataclass, field
from typing import Any

from gateway_project.yaml_source import REFERENCE, Source

LONGEST_NAME = 200
# The environment name that LiteLLM takes a provider's key from when a row names none.
DEFAULT_KEY_NAME = {"anthropic": "ANTHROPIC_API_KEY", "demo": ""}
HONOURED_PARAMS = frozenset({"model", "api_key", "api_base", "timeout", "rpm", "tpm", "weight", "order", "custom_llm_provider"})


@dataclass(frozen=True, slots=True)
class FileDeployment:
    """One row of model_list; `rpm` is its weight where it has no other, as with LiteLLM.

    Its key is a reference (`env:NAME`) or, where the file holds the key itself, `api_key`.
    """

    route: str
    provider: str
    model: str
    reference: str = ""
    api_key: str = field(default="", repr=False)
    api_base: str = ""
    timeout_s: float | None = None
    rpm: int | None = None
    tpm: int | None = None
    weight: float = 1
    order: int = 1


def deployments_from(source: Source) -> tuple[tuple[FileDeployment, ...], list[str]]:
    """The deployments, and the dotted keys (or whole rows) that have no effect."""
    rows = source.data.get("model_list")
    if rows is None:
        return (), []
    if not isinstance(rows, list):
        raise source.wrong(("model_list",), "must be a list of rows that start with `- model_name:`.")
    found, ignored = [], []
    for index in range(len(rows)):
        deployment, without_effect = _deployment(source, index)
        found += [deployment] if deployment else []
        ignored += without_effect
    return tuple(found), ignored


def _deployment(source: Source, index: int) -> tuple[FileDeployment | None, list[str]]:
    place = ("model_list", index)
    row = source.section(*place)
    params = source.section(*place, "litellm_params")
    route = _required(source, row, (*place, "model_name"), "the name that people ask for")
    named = _required(source, params, (*place, "litellm_params", "model"), "provider/model such as anthropic/claude-sonnet-4-5")
    said = source.text(params.get("custom_llm_provider"), *place, "litellm_params", "custom_llm_provider")
    provider, model = provider_and_model(named, said)
    if provider not in DEFAULT_KEY_NAME:
        return None, [f"model_list[{index}] ({named}: provider {provider or 'unknown'})"]
    base = _address(source, params.get("api_base"), *place, "litellm_params", "api_base")
    if params.get("api_base") and not base:
        return None, [f"model_list[{index}] (api_base refers to an environment name that is not set)"]
    reference, api_key = _key(source, params.get("api_key"), index, provider)
    deployment = FileDeployment(route, provider, model, reference, api_key, base, **_numbers(source, params, index))
    return deployment, _without_effect(row, params)


def _numbers(source: Source, params: dict[str, Any], index: int) -> dict[str, Any]:
    place = ("model_list", index, "litellm_params")
    names = ("timeout", "rpm", "tpm", "weight", "order")
    timeout, rpm, tpm, weight, order = (source.number(params.get(name), *place, name) for name in names)
    return {
        "timeout_s": timeout or None,
        "rpm": int(rpm) if rpm else None,
        "tpm": int(tpm) if tpm else None,
        "weight": (rpm or 1) if weight is None else weight,
        "order": int(order or 1),
    }


def _address(source: Source, written: object, *place: str | int) -> str:
    base = source.text(written, *place).rstrip("/")
    if base and not base.startswith(("http://", "https://")):
        raise source.wrong(place, "must start with https:// or http://.")
    return base


def _required(source: Source, holder: dict[str, Any], place: tuple[str | int, ...], meaning: str) -> str:
    value = source.text(holder.get(str(place[-1])), *place)
    if not value or len(value) > LONGEST_NAME:
        raise source.wrong(place, f"is needed: {meaning}, at most {LONGEST_NAME} characters.")
    return value


def provider_and_model(named: str, provider: str = "") -> tuple[str, str]:
    """`anthropic/claude-x` as its two parts. A bare Claude name is Anthropic's, as LiteLLM has it."""
    prefix, slash, rest = named.partition("/")
    if provider:
        return provider, rest if slash and prefix == provider else named
    if slash:
        return prefix, rest
    return ("anthropic" if named.startswith("claude") else ""), named


def _key(source: Source, written: object, index: int, provider: str) -> tuple[str, str]:
    """The reference, or the key itself. A name that is not set stays a reference: it may be set when the key is needed."""
    place = ("model_list", index, "litellm_params", "api_key")
    key = source.text(written, *place)
    if isinstance(written, str) and written.startswith(REFERENCE):
        return f"env:{written.removeprefix(REFERENCE)}", ""
    name = DEFAULT_KEY_NAME[provider]
    if key or not name:
        return "", key
    source.text(f"{REFERENCE}{name}", *place)
    return f"env:{name}", ""


def _without_effect(row: dict[str, Any], params: dict[str, Any]) -> list[str]:
    """Without the row's number: a hundred rows with the same parameter are one thing to read."""
    ours = {"model_name", "litellm_params", "model_info"}
    info = row.get("model_info")
    return [
        *(f"model_list[].litellm_params.{name}" for name in params if name not in HONOURED_PARAMS),
        *(f"model_list[].model_info.{name}" for name in (info if isinstance(info, dict) else ())),
        *(f"model_list[].{name}" for name in row if name not in ours),
    ]
