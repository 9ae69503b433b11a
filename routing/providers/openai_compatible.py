"""Providers out of the table of compatibles: OpenAI's dialects, and Anthropic's own where a provider speaks that too."""

from functools import partial

from routing.dialects.base import Dialect
from routing.dialects.chat import CHAT_UNASKED
from routing.dialects.messages import MESSAGES
from routing.providers import anthropic
from routing.providers.base import Call, Provider, UpstreamRequest
from routing.providers.compatibles import COMPATIBLES, Compatible
from routing.providers.openai import DIALECTS, PATHS, address, request_to
from routing.snapshot import DeploymentSnapshot

MESSAGES_PATH = anthropic.PATHS["messages"]


def speaks(row: Compatible, deployment: DeploymentSnapshot, operation: str) -> Dialect | None:
    """Responses also where the administrator says so: the deployment's `api` is then "responses"."""
    if operation == "messages":
        return MESSAGES if row.messages is not None else None
    if operation == "chat" and row.tells_usage_unasked:
        return CHAT_UNASKED
    if operation == "responses" and not (row.has_responses or deployment.api == "responses"):
        return None
    return DIALECTS.get(operation)


def build(row: Compatible, call: Call) -> UpstreamRequest:
    base = address(row.name, call.deployment.base_url, row.base)
    if call.operation == "messages":
        anthropic.add_version(call.headers, call)
        scheme, _, rest = base.partition("://")
        url = f"{scheme}://{rest.partition('/')[0]}{row.messages}{MESSAGES_PATH}"
    else:
        url = base + PATHS[call.operation]
    return request_to(url, call, row.header.encode(), b"") if row.header else request_to(url, call)


PROVIDERS = tuple(Provider(row.name, partial(speaks, row), partial(build, row)) for row in COMPATIBLES)
