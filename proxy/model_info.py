"""GET /model/info and /model_group/info: what LiteLLM's clients ask a gateway about its models, for what the caller may use.

`litellm_params.model` is the public name, since clients offer it for choice. Where a deployment lies and what opens it is not told.
"""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from billing.snapshot import PriceBook, Rates
from keys.snapshot import Caller
from proxy.snapshot import Snapshot
from routing.snapshot import DeploymentSnapshot, RouteSnapshot

_encoder = msgspec.json.Encoder(decimal_format="number")
_PICO_PLACES = -12


def deployments(caller: Caller, snapshot: Snapshot, at: float) -> bytes:
    """A row for each deployment behind a name. Families (`claude-*`) are no names that a client could be offered."""
    return _page([_row(route, one, snapshot.prices, at) for route in _named(caller, snapshot) for one in _behind(route)])


def deployment(caller: Caller, snapshot: Snapshot, at: float, wanted: str) -> bytes | None:
    """The rows of the deployment with this id, families' too, or None when nothing that the caller may use leads to it."""
    families = [route for _, route in snapshot.routes.families if caller.allows(route.name)]
    routes = (*_named(caller, snapshot), *families)
    found = [_row(route, one, snapshot.prices, at) for route in routes for one in _behind(route) if one.id == wanted]
    return _page(found) if found else None


def groups(caller: Caller, snapshot: Snapshot, at: float, wanted: str = "") -> bytes:
    """A row for each name, or for the one that is asked for; prices are the dearest of its deployments."""
    return _page([_group(route, snapshot.prices, at) for route in _named(caller, snapshot) if wanted in ("", route.name)])


def _page(rows: list[dict[str, object]]) -> bytes:
    return _encoder.encode({"data": rows})


def _named(caller: Caller, snapshot: Snapshot) -> Iterator[RouteSnapshot]:
    exact = snapshot.routes.exact
    return (exact[name] for name in sorted(exact) if exact[name].targets and caller.allows(name))


def _behind(route: RouteSnapshot) -> Iterator[DeploymentSnapshot]:
    return (target.deployment for target in route.targets)


def _rates(route: RouteSnapshot, one: DeploymentSnapshot, prices: PriceBook, at: float) -> Rates | None:
    """What a short prompt costs; None where that depends on the name asked, or nobody knows it."""
    model = one.base_model or (route.name if one.model == "*" else one.model)
    price = None if "*" in model else prices.find(one.provider, model, at)
    return price.bands[0] if price is not None else None


def _row(route: RouteSnapshot, one: DeploymentSnapshot, prices: PriceBook, at: float) -> dict[str, object]:
    costs = _costs(_rates(route, one, prices, at))
    return {
        "model_name": route.name,
        "litellm_params": {"model": route.name, "custom_llm_provider": one.provider},
        "model_info": {"id": one.id, "db_model": not one.is_operators, "litellm_provider": one.provider, **costs},
    }


def _costs(rates: Rates | None) -> dict[str, object]:
    """What is not known is left out: a 0 would say that it is free."""
    if rates is None:
        return {}
    told: dict[str, object] = {
        "input_cost_per_token": _usd(rates.input),
        "output_cost_per_token": _usd(rates.output),
        "cache_read_input_token_cost": _usd(rates.cache_read),
        "cache_creation_input_token_cost": _usd(rates.cache_write_5m),
    }
    return told | ({"supports_prompt_caching": True} if rates.cache_read < rates.input else {})


def _group(route: RouteSnapshot, prices: PriceBook, at: float) -> dict[str, object]:
    behind = list(_behind(route))
    rates = [found for one in behind if (found := _rates(route, one, prices, at)) is not None]
    return {
        "model_group": route.name,
        "providers": list(dict.fromkeys(one.provider for one in behind)),
        "input_cost_per_token": _usd(max(each.input for each in rates)) if rates else None,
        "output_cost_per_token": _usd(max(each.output for each in rates)) if rates else None,
        "rpm": sum(one.rpm for one in behind) or None,
        "tpm": sum(one.tpm for one in behind) or None,
    }


def _usd(pico: int) -> Decimal:
    return Decimal(pico).scaleb(_PICO_PLACES)
