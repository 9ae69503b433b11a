"""Routes as the command line shows them: JSON rows, a table with a line for each deployment behind a name, and where names fall back to."""

from collections.abc import Iterable
from typing import Any

from django.utils import timezone

from billing.loading import load_prices
from billing.snapshot import PriceBook
from gateway_project.tables import Table, Word, clean, state
from routing.models import Deployment, Route, RouteTarget, RoutingPolicy

HEAD = ("name", "strategy", "order", "weight", "deployment", "provider", "model", "region", "credential", "price", "state")
LISTS = {
    "falls back to": "fallbacks",
    "for prompts too long": "context_window_fallbacks",
    "for prompts refused": "content_policy_fallbacks",
}
PRICE_WORDS = {True: "yes", False: "none", None: "as asked"}


def route_rows(routes: Iterable[Route]) -> list[dict[str, Any]]:
    """`strategy` and `retries` are those in force, the policy's where the route has none of its own."""
    policy, book = RoutingPolicy.objects.first() or RoutingPolicy(), load_prices()
    return [
        {
            "name": route.name,
            "description": route.description,
            "is_active": route.is_active,
            "strategy": route.strategy or policy.strategy,
            "retries": policy.retries if route.retries is None else route.retries,
            **{column: getattr(route, column) for column in LISTS.values()},
            "default_fallbacks": [name for name in policy.default_fallbacks if name != route.name],
            "rpm_limit": route.rpm_limit,
            "tpm_limit": route.tpm_limit,
            "parallel_limit": route.parallel_limit,
            "origin": route.origin,
            "deployments": [_target_row(target, book) for target in route.targets.all()],
        }
        for route in routes
    ]


def _target_row(target: RouteTarget, book: PriceBook) -> dict[str, Any]:
    deployment = target.deployment
    return {
        "name": deployment.name,
        "provider": deployment.provider,
        "model": deployment.model,
        "region": deployment.region,
        "order": target.order,
        "weight": target.weight,
        "credential": deployment.credential.name if deployment.credential else None,
        "is_priced": _is_priced(deployment, book),
        "is_active": deployment.is_active,
        "base_url": deployment.base_url,
        "rpm_limit": deployment.rpm_limit,
        "tpm_limit": deployment.tpm_limit,
        "origin": deployment.origin,
    }


def _is_priced(deployment: Deployment, book: PriceBook) -> bool | None:
    """None where each call brings its own model."""
    model = deployment.base_model or deployment.model
    return None if model == "*" else book.find(deployment.provider, model, timezone.now().timestamp()) is not None


def route_table(rows: Iterable[dict[str, Any]]) -> Table:
    return Table(HEAD, [line for row in rows for line in _lines_of(row)], {"order", "weight"})


def fallbacks(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Below the table: few names have any."""
    found = list(rows)
    told = [f"{row['name']}: {title} {', '.join(row[column])}" for row in found for title, column in LISTS.items() if row[column]]
    default = {name: None for row in found for name in row["default_fallbacks"]}
    if default:
        told.append(f"every name falls back to {', '.join(default)} when its own names are no help")
    return list(map(clean, told))


def _lines_of(row: dict[str, Any]) -> list[tuple[str | Word, ...]]:
    off = "" if row["is_active"] else "off"
    if not row["deployments"]:
        return [(row["name"], row["strategy"], *[""] * (len(HEAD) - 3), state(off or "no deployment"))]
    return [
        (
            row["name"], row["strategy"], str(one["order"]), str(one["weight"]), one["name"], one["provider"], one["model"], one["region"],
            one["credential"] or "none", PRICE_WORDS[one["is_priced"]], state(off or ("active" if one["is_active"] else "deployment off")),
        )
        for one in row["deployments"]
    ]  # fmt: skip
