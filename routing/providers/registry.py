"""The table of providers: one line switches one on."""

from routing.dialects.base import Dialect
from routing.dialects.messages import MESSAGES
from routing.providers import anthropic, azure, azure_ai, bedrock, gemini, openai, openai_compatible, vertex_ai
from routing.providers.base import Call, Provider, UpstreamRequest
from routing.snapshot import DeploymentSnapshot


def _demo_speaks(deployment: DeploymentSnapshot, operation: str) -> Dialect | None:
    return MESSAGES if operation in anthropic.PATHS else None


def _in_process(call: Call) -> UpstreamRequest:
    return UpstreamRequest("POST", anthropic.PATHS[call.operation], call.headers, call.body, call.deployment)


DEMO = Provider("demo", _demo_speaks, _in_process, cancel_stops_billing=True, is_in_process=True)

_OWN = (
    anthropic.PROVIDER,
    bedrock.PROVIDER,
    vertex_ai.PROVIDER,
    gemini.PROVIDER,
    azure_ai.PROVIDER,
    azure.PROVIDER,
    openai.PROVIDER,
    DEMO,
)
PROVIDERS: dict[str, Provider] = {provider.name: provider for provider in (*_OWN, *openai_compatible.PROVIDERS)}
