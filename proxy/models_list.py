"""GET /v1/models: only what the caller may use, in rows that Anthropic's and OpenAI's clients both read.

One shape for all: Claude Code's discovery sends no anthropic-version, so no header tells the two kinds of client apart.
"""

from datetime import UTC, datetime

import msgspec

from keys.snapshot import Caller
from routing.snapshot import RouteSnapshot, RouteTable

MAX_PAGE = 1000
_encoder = msgspec.json.Encoder()


def row(route: RouteSnapshot) -> dict[str, object]:
    return {
        "id": route.name,
        "type": "model",
        "display_name": route.description or route.name,
        "created_at": datetime.fromtimestamp(route.created_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "object": "model",
        "created": route.created_at,
        "owned_by": "tallygate",
    }


def listing(caller: Caller, routes: RouteTable, *, limit: int = MAX_PAGE, after: str = "") -> bytes:
    """The page of models after the id `after`; families (`claude-*`) are not names one can ask for, so they are not listed."""
    names = sorted(name for name in routes.exact if caller.allows(name) and routes.exact[name].targets)
    if after:
        names = [name for name in names if name > after]
    page = names[:limit]
    return _encoder.encode(
        {
            "object": "list",
            "data": [row(routes.exact[name]) for name in page],
            "has_more": len(names) > len(page),
            "first_id": page[0] if page else None,
            "last_id": page[-1] if page else None,
        }
    )


def one(caller: Caller, routes: RouteTable, name: str) -> bytes | None:
    """One model, or None when the caller may not use it or nothing serves it."""
    route = routes.find(name)
    if route is None or not route.targets or not caller.allows(name):
        return None
    return _encoder.encode({**row(route), "id": name, "display_name": route.description or name})
