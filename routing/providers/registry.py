"""The table of providers: one line switches one on."""

from routing.providers import anthropic
from routing.providers.base import Headers, Provider, UpstreamRequest
from routing.snapshot import DeploymentSnapshot


def _in_process(deployment: DeploymentSnapshot, path: str, query: str, headers: Headers, body: bytes) -> UpstreamRequest:
    return UpstreamRequest("POST", path, headers, body, deployment)


DEMO = Provider("demo", dialect="messages", build=_in_process, cancel_stops_billing=True, is_in_process=True)

PROVIDERS: dict[str, Provider] = {provider.name: provider for provider in (anthropic.PROVIDER, DEMO)}
