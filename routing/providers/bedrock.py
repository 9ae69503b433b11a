"""Amazon Bedrock: Anthropic's own API on the runtime or on mantle, InvokeModel, Converse, CountTokens; OpenAI's shapes for its models."""

import msgspec

from routing.dialects.base import Dialect
from routing.dialects.chat import CHAT
from routing.dialects.converse import CONVERSE
from routing.dialects.invoke import COUNT_TOKENS, INVOKE, packed
from routing.dialects.invoke_other import INVOKE_OTHER
from routing.dialects.native_messages import NATIVE
from routing.dialects.pieces import Body
from routing.dialects.responses import RESPONSES
from routing.providers import bedrock_body as bodies
from routing.providers import bedrock_models as models
from routing.providers.aws_access import open_aws
from routing.providers.base import Call, NotServed, Provider, UpstreamRequest
from routing.snapshot import DeploymentSnapshot

NATIVE_PATHS = {"messages": "/anthropic/v1/messages", "count_tokens": "/anthropic/v1/messages/count_tokens"}
OPENAI_PATHS = {CHAT.name: "/openai/v1/chat/completions", RESPONSES.name: "/openai/v1/responses"}
OPENAIS = {"chat": CHAT, "responses": RESPONSES}
CONVERSED = frozenset({"messages", "chat", "responses"})
WAY_DIALECTS: dict[str, Dialect] = {models.MESSAGES: NATIVE, models.MANTLE: NATIVE, models.INVOKE: INVOKE, models.CONVERSE: CONVERSE}
JSON = (b"content-type", b"application/json")

_encode = msgspec.json.Encoder().encode


def speaks(deployment: DeploymentSnapshot, operation: str) -> Dialect | None:
    """Claude takes Messages by the deployment's way; OpenAI's models take OpenAI's shapes; every model takes Converse and its own body."""
    if operation == "converse":
        return CONVERSE
    if operation == "invoke_other":
        return INVOKE_OTHER
    if operation == "count_tokens":
        return NATIVE if deployment.api == models.MANTLE else COUNT_TOKENS
    if operation not in CONVERSED:
        return None
    if models.is_openai(models.told_model(deployment)) and deployment.api != models.CONVERSE:
        return OPENAIS.get(operation, CONVERSE)
    try:
        return WAY_DIALECTS[models.way(deployment)]
    except NotServed:
        return None


def build(call: Call) -> UpstreamRequest:
    """By the dialect that the body is in. The signature comes last, over the final bytes."""
    deployment, path = call.deployment, _path(call)
    is_mantle = "/model/" not in path and models.way(deployment) == models.MANTLE
    call.body = _body(call)
    url = models.host(deployment, is_mantle=is_mantle) + path
    if call.query and call.dialect is NATIVE:
        url = f"{url}?{call.query}"
    headers = call.headers
    if not any(name == b"content-type" for name, _ in headers):
        headers.append(JSON)
    request = UpstreamRequest("POST", url, headers, call.body, deployment)
    _open(call, request)
    return request


def _path(call: Call) -> str:
    dialect = call.dialect
    if dialect is NATIVE:
        return NATIVE_PATHS[call.operation]
    if dialect.name in OPENAI_PATHS:
        return OPENAI_PATHS[dialect.name]
    if dialect is COUNT_TOKENS:
        return f"/model/{models.in_path(models.bare(_countable(call)))}/count-tokens"
    verb = "converse" if dialect is CONVERSE else "invoke"
    stream = {"converse": "-stream", "invoke": "-with-response-stream"}[verb] if call.ask.is_stream else ""
    return f"/model/{models.in_path(call.model)}/{verb}{stream}"


def _countable(call: Call) -> str:
    """Counting wants a foundation model's id, which the base model of an ARN may be."""
    base = call.deployment.base_model
    return base if models.hides_its_model(call.model) and "." in base else call.model


def _body(call: Call) -> Body:
    dialect = call.dialect
    generation = models.generation(models.told_model(call.deployment, call.model))
    if dialect is NATIVE:
        fields = bodies.native(call, generation)
        if models.way(call.deployment) == models.MANTLE:
            fields["model"] = msgspec.Raw(_encode(models.bare(call.model)))
        return _encode(fields)
    if dialect is INVOKE:
        return _encode(bodies.wrapped(call, generation))
    if dialect is COUNT_TOKENS and "input" not in call.ask.fields:
        return packed(_encode(bodies.with_a_cap(bodies.wrapped(call, generation))))
    return call.body


def _open(call: Call, request: UpstreamRequest) -> None:
    """A caller's own API key opens deployments that have no credential; what was signed for our address is of no use at AWS."""
    if not call.deployment.credential_id and call.own_access[:7].lower() == b"bearer ":
        request.headers.append((b"authorization", call.own_access))
    elif call.deployment.access is not None:
        call.deployment.access.sign(request)
    elif call.deployment.secret:
        request.headers.append((b"authorization", f"Bearer {call.deployment.secret}".encode()))
    else:
        raise NotServed("The deployment has no AWS credential.")


PROVIDER = Provider("bedrock", speaks, build, cancel_stops_billing=False, open=open_aws)
