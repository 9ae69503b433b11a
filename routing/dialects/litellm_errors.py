"""What LiteLLM's scripts take our refusals for: status, type, param and first words by our code, as 1.78 or as 1.109 has them. Pure.

Codes that are in no table are told in our own way. Our own text always follows the first words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

NO_FACTS: Final[Mapping[str, object]] = {}


@dataclass(frozen=True, slots=True)
class Words:
    """`figures` follow the phrase where the facts are known that they name in braces."""

    status: int
    type: str
    param: str = "None"
    phrase: str = ""
    figures: str = ""

    def message(self, ours: str, facts: Mapping[str, object] = NO_FACTS) -> str:
        return " ".join(filter(None, (self.phrase, self.figures.format_map(facts) if facts else "", ours)))

    def error(self, ours: str, facts: Mapping[str, object] = NO_FACTS) -> dict[str, str]:
        """The error object. The code is the status, as text."""
        return {"message": self.message(ours, facts), "type": self.type, "param": self.param, "code": str(self.status)}


_INVALID_MODEL = "Invalid model name passed in model={model}. Call `/v1/models` to view available models for your key."
_SPENT = "Current cost: {spent:f}, Max budget: {amount:f}."
_LIMIT = "for {scope}: {name}. Limit type: {kind}. Current limit: {limit}, Remaining: {remaining}."
_NO_CONNECTION = Words(500, "None", phrase="litellm.APIConnectionError:")
_NO_ANSWER = Words(500, "internal_server_error", phrase="litellm.InternalServerError:")
_NOT_NOW = Words(503, "internal_server_error", phrase="litellm.ServiceUnavailableError:")

CLASSIC: Final[Mapping[str, Words]] = {
    "key_missing": Words(401, "auth_error", phrase="Authentication Error, No api key passed in."),
    "key_invalid": Words(401, "token_not_found_in_db", "key", "Authentication Error, Invalid proxy server token passed."),
    "key_expired": Words(401, "expired_key", "key", "Authentication Error - Expired Key."),
    "key_blocked": Words(401, "auth_error", phrase="Authentication Error,"),
    "ip_not_allowed": Words(403, "auth_error", phrase="Access forbidden: IP address not allowed."),
    "header_required": Words(403, "auth_error", phrase="Access forbidden:"),
    "model_not_allowed": Words(
        401,
        "key_model_access_denied",
        "model",
        "key not allowed to access model.",
        "This key can only access models={models}. Tried to access {model}.",
    ),
    "model_unknown": Words(400, "invalid_request_error", "model", "litellm.BadRequestError:", _INVALID_MODEL),
    "budget_exceeded": Words(400, "budget_exceeded", phrase="Budget has been exceeded!", figures=_SPENT),
    "budget_held": Words(429, "None"),
    "budget_unavailable": Words(503, "no_db_connection"),
    "rate_limited": Words(429, "None", phrase="Rate limit exceeded", figures=_LIMIT),
    "invalid_request": Words(400, "invalid_request_error"),
    "model_not_found": Words(404, "not_found_error", "model"),
    "no_deployment": Words(429, "None", phrase="No deployments available for selected model, Try again in 5 seconds."),
    "provider_timeout": Words(408, "None", phrase="litellm.Timeout:"),
    "provider_unreachable": _NO_CONNECTION,
    "provider_connection_lost": _NO_CONNECTION,
    "upstream_unreadable": _NO_ANSWER,
    "upstream_truncated": _NO_ANSWER,
    "answer_too_large": _NO_ANSWER,
    "internal_error": _NO_ANSWER,
    "journal_unavailable": _NOT_NOW,
    "overloaded": _NOT_NOW,
    "shutting_down": _NOT_NOW,
}
CURRENT: Final[Mapping[str, Words]] = {
    **CLASSIC,
    "key_invalid": Words(401, "auth_error", phrase="Authentication Error, Invalid proxy server token passed."),
    "model_not_allowed": Words(403, "key_model_access_denied", "model", "The model is not open to this key."),
    "model_unknown": Words(400, "invalid_request_error", "model", figures=_INVALID_MODEL),
    "budget_exceeded": Words(422, "budget_exceeded", phrase="Budget has been exceeded!", figures=_SPENT),
    "budget_held": Words(429, "throttling_error"),
    "rate_limited": Words(429, "throttling_error", phrase="Rate limit exceeded", figures=_LIMIT),
    "no_deployment": Words(
        429, "all_deployments_in_cooldown", phrase="No deployments available for selected model, Try again in 5 seconds."
    ),
}
TABLES: Final[Mapping[str, Mapping[str, Words]]] = {"classic": CLASSIC, "current": CURRENT}
