"""A row of LiteLLM's keys → ours. The secret itself is not over there either: only its SHA-256, by which it goes on working. Pure."""

import re
from typing import Any

from gateway_project.litellm_import.values import (
    Refusal,
    Row,
    cost_centre_of,
    limits_of,
    model_limits_of,
    moment_of,
    names_of,
    plain_metadata,
    text_of,
)
from gateway_project.litellm_import.wanted import HASH_SHOWN, Taken
from keys.secrets import PREFIX, hash_token, last_four

# Sessions of LiteLLM's own pages are keys of this team over there.
DASHBOARD = "litellm-dashboard"
LONGEST_NAME = 200
_hash = re.compile(r"[0-9a-f]{64}")
# Entries of allowed_routes with which a key may call models.
_MODEL_ROUTES = re.compile(
    r"(llm_api|openai|anthropic|google|mapped_pass_through)_routes|/(v1|v1beta|chat|completions|embeddings|responses|messages|anthropic|bedrock"
    r"|vertex|openai|azure|gemini|engines|models)\b.*|/?\*"
)
KEPT = ("aliases", "config", "permissions", "allowed_routes", "project_id")


def shown(row: Row) -> str:
    """A key in reports."""
    token = text_of(row, "token")
    name = text_of(row, "key_alias") or text_of(row, "key_name")[-7:]
    return f"{name} ({hash_of(row)[:HASH_SHOWN]})" if token else name


def key_of(row: Row, metadata: Row, plan: Row, taken: Taken) -> tuple[dict[str, Any], list[str]]:
    """Its columns but for its owners, and what is to be told."""
    own_id = hash_of(row)
    if not _hash.fullmatch(own_id):
        raise Refusal("its token is no SHA-256 of a key")
    if own_id == taken.master_hash:
        raise Refusal("it is the master key")
    routes = names_of(row, "allowed_routes")
    if routes and not any(_MODEL_ROUTES.fullmatch(one) for one in routes):
        raise Refusal(f"it may call only {', '.join(routes)[:100]} and no model; keys cannot be narrowed like that here")
    wished = text_of(row, "key_alias")
    name = taken.keys.claim(wished, own_id) if wished else ""
    kept = {one: row[one] for one in KEPT if row.get(one)}
    told = [f"named {name!r}, for {wished!r} is another key's"] if name != wished[:LONGEST_NAME] else []
    told += [f"kept and not acted on: {', '.join(kept)}"] if kept else []
    values = {
        "id": own_id,
        "last_four": _last_four(row),
        "name": name,
        "allowed_models": names_of(row, "models"),
        "expires_at": moment_of(row, "expires"),
        "is_blocked": row.get("blocked") is True,
        **limits_of(row, plan),
        "model_limits": model_limits_of(metadata),
        "cost_centre": cost_centre_of(metadata),
        "tags": names_of(metadata, "tags"),
        "metadata": plain_metadata(metadata),
        "extra": kept,
    }
    return values, told


def hash_of(row: Row) -> str:
    """Very old rows hold the key itself."""
    token = text_of(row, "token")
    return hash_token(token) if token.startswith(PREFIX) else token


def _last_four(row: Row) -> str:
    token, name = text_of(row, "token"), text_of(row, "key_name")
    return last_four(token if token.startswith(PREFIX) else name)
