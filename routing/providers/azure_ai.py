"""Microsoft Foundry: Claude in Anthropic's own tongue, everything else in OpenAI's, at one resource (NAME.services.ai.azure.com).

What a deployment holds is told by its `api` ("messages" or "v1"), else by its address or by the name of its model.
"""

import re
from functools import partial

from routing.dialects.base import Dialect
from routing.dialects.messages import MESSAGES
from routing.providers import anthropic
from routing.providers.azure import NEEDS_ADDRESS, open_access, v1
from routing.providers.base import Call, NotServed, Provider, UpstreamRequest
from routing.providers.entra_access import FOUNDRY_SCOPE
from routing.providers.openai import DIALECTS, PATHS, request_to
from routing.snapshot import DeploymentSnapshot

ANTHROPIC_PATH = "/anthropic"
# Models with an endpoint of their own, from before there were resources for all.
SERVERLESS = (".models.ai.azure.com", ".inference.ai.azure.com")
# The parts of a path that Foundry's pages show after the resource; what follows is for us to say.
_PATH = re.compile(r"(?<!/)/(anthropic|openai|models|v1)(/.*)?$")


def speaks(deployment: DeploymentSnapshot, operation: str) -> Dialect | None:
    if operation in anthropic.PATHS:
        return None if _holds_openais(deployment) else MESSAGES
    return None if _holds_claude(deployment) else DIALECTS.get(operation)


def _holds_claude(deployment: DeploymentSnapshot) -> bool:
    if deployment.api:
        return deployment.api == "messages"
    return "claude" in f"{deployment.model} {deployment.base_model}".lower() or ANTHROPIC_PATH in deployment.base_url


def _holds_openais(deployment: DeploymentSnapshot) -> bool:
    """Certainly no Claude; behind `*` there may be both."""
    return not _holds_claude(deployment) and (deployment.model != "*" or deployment.api == "v1")


def build(call: Call) -> UpstreamRequest:
    if not call.deployment.base_url:
        raise NotServed(NEEDS_ADDRESS.format("azure_ai", "services.ai.azure.com"))
    root = _PATH.sub("", call.deployment.base_url.rstrip("/"))
    if call.operation in anthropic.PATHS:
        anthropic.add_version(call.headers, call)
        query = f"?{call.query}" if call.query else ""
        return request_to(root + ANTHROPIC_PATH + anthropic.PATHS[call.operation] + query, call, b"x-api-key", b"")
    if root.endswith(SERVERLESS):
        return request_to(f"{root}/v1{PATHS[call.operation]}", call)
    return request_to(root + v1(call), call, b"api-key", b"")


PROVIDER = Provider("azure_ai", speaks, build, open=partial(open_access, FOUNDRY_SCOPE))
