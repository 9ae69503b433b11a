"""The gateway in front of the fake Bedrock, and the deployments that join them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import boto3
import httpx
from botocore import UNSIGNED
from botocore.config import Config

from routing.snapshot import DeploymentSnapshot
from tests.fakes.bedrock import API_KEY, REGION, FakeBedrock
from tests.fakes.serving import serve_in_thread
from tests.proxy.door import TRUST
from tests.proxy.rig import ALICE, Rig
from tests.proxy.talk import PATIENCE_S

OLD, NEW, NOVA = "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "global.anthropic.claude-opus-5-5", "us.amazon.nova-micro-v1:0"
TITAN = "amazon.titan-embed-text-v2:0"
ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"
WAYS = {"invoke": OLD, "messages": NEW, "mantle": NEW, "converse": OLD}
BEARER = {"authorization": f"Bearer {ALICE}", "content-type": "application/json"}
ASK = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}
CONVERSATION = {"messages": [{"role": "user", "content": [{"text": "Hello"}]}], "inferenceConfig": {"maxTokens": 50}}


@dataclass(frozen=True)
class BedrockRig:
    """`deployment` is one by an API key; a route named after each of Bedrock's ways leads to it by that way."""

    rig: Rig
    fake: FakeBedrock
    deployment: DeploymentSnapshot

    def post(self, path: str, fields: dict[str, Any] | bytes, headers: dict[str, str] | None = None) -> httpx.Response:
        """One call on a connection of its own; the path goes out as it is written."""
        content = {"content": fields} if isinstance(fields, bytes) else {"json": fields}
        with httpx.Client(verify=TRUST, timeout=PATIENCE_S) as client:
            return client.post(self.rig.url + path, headers=BEARER if headers is None else headers, **content)

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        with httpx.Client(verify=TRUST, timeout=PATIENCE_S) as client:
            return client.get(self.rig.url + path, headers=BEARER if headers is None else headers)

    def route(self, name: str, *deployments: DeploymentSnapshot) -> None:
        self.rig.gateway.route(name, *deployments)


@contextmanager
def bedrock_behind(rig: Rig, fake: FakeBedrock | None = None) -> Iterator[BedrockRig]:
    fake = fake or FakeBedrock()
    with serve_in_thread(fake) as url:
        deployment = DeploymentSnapshot("bed-1", "bed", "bedrock", "*", base_url=url, secret=API_KEY, region=REGION)
        for model in (OLD, NEW, NOVA, TITAN, ARN):
            rig.gateway.route(model, replace(deployment, model=model))
        rig.gateway.route("claude-sonnet", replace(rig.deployment, model="claude-sonnet-4-5-20250929"))
        for way, model in WAYS.items():
            rig.gateway.route(f"claude-by-{way}", replace(deployment, id=way, model=model, api=way))
        yield BedrockRig(rig, fake, deployment)


def runtime(url: str, *, token: str = ALICE) -> Any:
    """boto3's client of the runtime without signatures: it refuses a bearer token over plain HTTP, so the header is set behind its back."""
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}, read_timeout=PATIENCE_S)
    client = boto3.client("bedrock-runtime", region_name=REGION, endpoint_url=f"{url}/bedrock", config=config)
    client.meta.events.register("before-send", lambda request, **_: request.headers.__setitem__("Authorization", f"Bearer {token}"))
    return client
