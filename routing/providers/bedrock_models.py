"""What the ids of Amazon Bedrock's models tell: whose model it is, how old, where it may be called, by which of Bedrock's ways."""

import re
from urllib.parse import quote

from routing.providers.base import NotServed
from routing.snapshot import DeploymentSnapshot

# Bedrock's ways for one call: Anthropic's own API on the runtime or on mantle, InvokeModel, Converse.
MESSAGES, MANTLE, INVOKE, CONVERSE = "messages", "mantle", "invoke", "converse"
WAYS = frozenset({MESSAGES, MANTLE, INVOKE, CONVERSE})
ANY = "*"
# The first that takes the API version of 2026-10-21 and that AWS wants called by Anthropic's own API.
NATIVE_FROM = (4, 7)

is_region = re.compile(r"[a-z]{2,5}(?:-[a-z]{2,12}){1,3}-[0-9]{1,2}").fullmatch
is_id = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}").fullmatch
is_arn = re.compile(
    r"arn:aws(?:-[a-z]{1,10}){0,3}:(?:bedrock|sagemaker):[a-z0-9-]{0,30}:[0-9]{0,12}:[a-z-]{1,40}/[A-Za-z0-9._:/-]{1,200}"
).fullmatch
_geography = re.compile(r"^(?:global|apac|us-gov|[a-z]{2})\.(?=[a-z])")
_claude = re.compile(r"claude-(?:(?:instant-)?v?([0-9]{1,2})\b|[a-z]+-([0-9]{1,2})(?:-([0-9]{1,2}))?(?![0-9]))")
_arn_region = re.compile(r"arn:[^:]+:[^:]+:([a-z0-9-]+):")


def region_of(deployment: DeploymentSnapshot) -> str:
    """The deployment's region, or its model's where that is an ARN; raises NotServed."""
    found = _arn_region.match(deployment.model)
    region = deployment.region or (found[1] if found else "")
    if not is_region(region):
        raise NotServed(f"{region[:60]!r} is no AWS region. Set one such as us-east-1.")
    return region


def host(deployment: DeploymentSnapshot, *, is_mantle: bool) -> str:
    """The address without a path; a deployment's own base URL goes first."""
    if deployment.base_url:
        return deployment.base_url.rstrip("/")
    region = region_of(deployment)
    if is_mantle:
        return f"https://bedrock-mantle.{region}.api.aws"
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.eu" if region.startswith("eusc-") else "amazonaws.com"
    return f"https://bedrock-runtime.{region}.{domain}"


def in_path(model: str) -> str:
    """The id as one segment of a path; raises NotServed for what is none."""
    if not (is_id(model) or is_arn(model)) or ".." in model or "//" in model:
        raise NotServed(f"{model[:100]!r} is no id or ARN of a Bedrock model.")
    return quote(model, safe="")


def bare(model: str) -> str:
    """A foundation model's id without the geography of an inference profile; raises NotServed where an ARN hides the model."""
    if model.startswith("arn:"):
        model = model.rpartition("/")[2]
        if "." not in model:
            raise NotServed("The ARN does not tell which model it is. Set the deployment's base model.")
    return _geography.sub("", model, count=1)


def told_model(deployment: DeploymentSnapshot, model: str = "") -> str:
    """The name that tells most about the model."""
    return deployment.base_model or (model if deployment.model == ANY and model else deployment.model)


def is_claude(name: str) -> bool:
    return "claude" in name.lower()


def is_openai(name: str) -> bool:
    return _geography.sub("", name, count=1).startswith("openai.")


def hides_its_model(name: str) -> bool:
    """An ARN of an application profile, of bought throughput or an imported model."""
    return name.startswith("arn:") and "." not in name.rpartition("/")[2]


def generation(name: str) -> tuple[int, int] | None:
    """(4, 7) of Claude Opus 4.7; None where the name does not tell."""
    found = _claude.search(name.lower())
    if found is None:
        return None
    old, major, minor = found.groups()
    return (int(old), 0) if old else (int(major), int(minor or 0))


def way(deployment: DeploymentSnapshot) -> str:
    """How Messages, and what is translated to them, reach the model; raises NotServed. Unless told, as AWS recommends."""
    if deployment.api:
        if deployment.api not in WAYS:
            raise NotServed(f"{deployment.api!r} is none of Bedrock's ways: {', '.join(sorted(WAYS))}.")
        return deployment.api
    name = told_model(deployment)
    if is_claude(name):
        is_new = (generation(name) or NATIVE_FROM) >= NATIVE_FROM and not deployment.model.startswith("arn:")
        return MESSAGES if is_new else INVOKE
    if is_openai(name):
        return MANTLE if ":" not in name else MESSAGES
    return INVOKE if name == ANY or hides_its_model(name) else CONVERSE
