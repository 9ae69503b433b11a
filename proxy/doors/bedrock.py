"""The entrance of clients in Bedrock mode and of boto3: the runtime's paths under /bedrock, the model's id in them however it is escaped.

The lists of inference profiles, which Claude Code asks for before its first call, are answered here.
"""

import re

import msgspec

from keys.snapshot import Caller
from proxy.doors.paths import segments
from proxy.endpoints import Endpoint, Place
from routing.dialects.base import PathAsk
from routing.dialects.converse import CONVERSE
from routing.dialects.invoke import COUNT_TOKENS, INVOKE
from routing.dialects.invoke_other import INVOKE_OTHER
from routing.providers.base import NotServed
from routing.providers.bedrock_models import bare, hides_its_model
from routing.snapshot import DeploymentSnapshot, RouteTable

CLAUDE = Endpoint("bedrock_invoke", ("POST",), "messages", INVOKE, is_billed=True, cloud="bedrock")
OTHER = Endpoint("bedrock_invoke_other", ("POST",), "invoke_other", INVOKE_OTHER, is_billed=True, cloud="bedrock")
CONVERSES = Endpoint("bedrock_converse", ("POST",), "converse", CONVERSE, is_billed=True, cloud="bedrock")
COUNT = Endpoint("bedrock_count_tokens", ("POST",), "count_tokens", COUNT_TOKENS, cloud="bedrock")
PROFILES = Endpoint("bedrock_profiles", ("GET",), dialect=INVOKE, cloud="bedrock")
PROFILE = Endpoint("bedrock_profile", ("GET",), dialect=INVOKE, cloud="bedrock")
INVOKES = {"invoke": False, "invoke-with-response-stream": True}
CONVERSATIONS = {"converse": False, "converse-stream": True}

# Anthropic's lines stand in public names too, with or without its own.
_is_claude = re.compile(r"claude|opus|sonnet|haiku|fable|mythos", re.IGNORECASE).search
_arn = re.compile(r"arn:aws[a-z-]*:bedrock:([a-z0-9-]*):([0-9]*):")
_encode = msgspec.json.Encoder().encode


def find(method: str, raw_path: bytes, query: bytes) -> Place | None:
    match segments(raw_path):
        case ["bedrock", "model", *parts, verb] if parts:
            return _call("/".join(parts), verb)
        case ["bedrock", "inference-profiles"]:
            return Place(PROFILES)
        case ["bedrock", "inference-profiles", *parts] if parts:
            return Place(PROFILE, PathAsk("/".join(parts)))
    return None


def _call(model: str, verb: str) -> Place | None:
    if "/" in model and not model.startswith("arn:"):
        return None
    if verb in INVOKES:
        # What an ARN stands for cannot be told here; Claude Code is who sends such.
        is_claudes = _is_claude(model) or hides_its_model(model)
        return Place(CLAUDE if is_claudes else OTHER, PathAsk(model, INVOKES[verb]))
    if verb in CONVERSATIONS:
        return Place(CONVERSES, PathAsk(model, CONVERSATIONS[verb]))
    return Place(COUNT, PathAsk(model, False)) if verb == "count-tokens" else None


def profiles(caller: Caller, routes: RouteTable) -> bytes:
    """The profiles that this caller may call: its models' ids at Bedrock, and their public names."""
    rows: dict[str, dict[str, object]] = {}
    for name in sorted(routes.exact):
        if caller.allows(name):
            for target in routes.exact[name].targets:
                rows.setdefault(target.deployment.model, _row(target.deployment.model, target.deployment, name))
                rows.setdefault(name, _row(name, target.deployment, name))
    return _encode({"inferenceProfileSummaries": list(rows.values())})


def profile(caller: Caller, routes: RouteTable, asked: str) -> bytes | None:
    """One profile, or None when the caller may not call it or nothing serves it."""
    name = routes.public_name(asked)
    route = routes.find(name)
    if route is None or not route.targets or not caller.allows(name):
        return None
    return _encode(_row(asked, route.targets[0].deployment, name))


def _row(asked: str, deployment: DeploymentSnapshot, name: str) -> dict[str, object]:
    found = _arn.match(asked)
    region, account = (found[1], found[2]) if found else (deployment.region or "us-east-1", "000000000000")
    kind = "APPLICATION" if found and ":application-inference-profile/" in asked else "SYSTEM_DEFINED"
    return {
        "inferenceProfileName": name,
        "inferenceProfileArn": asked if found else f"arn:aws:bedrock:{region}:{account}:inference-profile/{asked}",
        "inferenceProfileId": asked.rpartition("/")[2] if found else asked,
        "models": [{"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{_foundation(deployment, name)}"}],
        "status": "ACTIVE",
        "type": kind,
    }


def _foundation(deployment: DeploymentSnapshot, name: str) -> str:
    """The id of the model itself, as far as it is known."""
    for told in filter(None, (deployment.base_model, deployment.model.removeprefix("*"))):
        try:
            return bare(told)
        except NotServed:
            continue
    return name
