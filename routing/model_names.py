"""What `litellm_params.model` says: a provider, a model there, and for Bedrock the way and the region that may stand between the two."""

import re
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from routing.providers.compatibles import BY_NAME, COMPATIBLES

OWN = frozenset({"anthropic", "azure", "azure_ai", "bedrock", "demo", "gemini", "openai", "vertex_ai"})
# Other words for a provider, with the way that they mean.
ALIASES = {
    "anthropic_text": ("anthropic", ""),
    "azure_text": ("azure", ""),
    "bedrock_converse": ("bedrock", "converse"),
    "bedrock_mantle": ("bedrock", "mantle"),
    "vertex_ai_beta": ("vertex_ai", ""),
}
BEDROCK_WAYS = frozenset({"converse", "invoke", "mantle", "messages"})
# Words that LiteLLM takes before the name of a model to tell what kind it is; ours are told by the call.
KINDS_OF_MODEL = {"azure": ("responses/", "o_series/", "gpt5_series/"), "openai": ("responses/",)}
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_COMMITMENT = re.compile(r"\d-month-commitment")
_BARE = (
    (re.compile(r"claude"), "anthropic"),
    (re.compile(r"(gpt-|chatgpt-|o\d(-|$)|ft:(gpt|o\d)|text-embedding-|codex-|\*$)"), "openai"),
    (re.compile(r"gemini-"), "vertex_ai"),
    (re.compile(r"command"), "cohere"),
    (re.compile(r"((us|eu|apac|global|jp|au|ca|us-gov)\.)?(anthropic|amazon|meta|mistral|cohere|ai21|deepseek|qwen|openai)\."), "bedrock"),
)
_HOSTS = {urlsplit(row.base).hostname: row.name for row in COMPATIBLES if not row.is_self_hosted}


@dataclass(frozen=True, slots=True)
class Named:
    """`provider` is empty, or none that we know, where nothing can be made of the name."""

    provider: str
    model: str
    api: str = ""
    region: str = ""

    @property
    def is_known(self) -> bool:
        return self.provider in OWN or self.provider in BY_NAME


def read_name(written: str, said: str = "", base: str = "") -> Named:
    """`said` is custom_llm_provider; `base` the address, which tells the provider of a name that does not."""
    provider, model = _split(written, said, base)
    provider, api = ALIASES.get(provider, (provider, ""))
    if provider == "azure" and ("claude" in model or "/anthropic" in base):
        provider = "azure_ai"  # Claude at Azure is in Foundry, under whichever of the two names
    if provider == "bedrock":
        found = _bedrock(model)
        return replace(found, api=found.api or api)
    for word in KINDS_OF_MODEL.get(provider, ()):
        model = model.removeprefix(word)
    row = BY_NAME.get(provider)
    if row and row.model_prefix and "/" not in model and model != "*":
        model = row.model_prefix + model
    return Named(provider, model, api)


def _split(written: str, said: str, base: str) -> tuple[str, str]:
    prefix, slash, rest = written.partition("/")
    if said:
        return said, rest if slash and prefix == said else written
    if slash and (prefix in ALIASES or Named(prefix, "").is_known):
        return prefix, rest
    by_address = _HOSTS.get(urlsplit(base).hostname) if base else None
    if by_address:
        return by_address, written
    if slash:
        return prefix, rest
    return next((provider for pattern, provider in _BARE if pattern.match(written)), ""), written


def _bedrock(written: str) -> Named:
    """`converse/us-west-2/anthropic.claude-…` as its parts. A bought or imported model is an ARN, whatever stands before it."""
    head, arn, rest = written.partition("arn:")
    words = head.split("/")
    api = region = ""
    while len(words) > 1 and (words[0] in BEDROCK_WAYS or _REGION.fullmatch(words[0]) or _COMMITMENT.fullmatch(words[0]) or arn):
        api = words[0] if words[0] in BEDROCK_WAYS else api
        region = words[0] if _REGION.fullmatch(words[0]) else region
        words = words[1:]
    if arn:
        return Named("bedrock", arn + rest, api, region or rest.split(":")[2] if rest.count(":") > 2 else region)
    return Named("bedrock", "/".join(words), api, region)


def passed_on(route: str, written: str, named: Named) -> str | None:
    """The model of a deployment behind `route`: a pattern is passed on as it was asked, and None where the two patterns differ."""
    if "*" not in named.model:
        return named.model
    pattern = written.partition("/")[2] if written.startswith(f"{named.provider}/") else written
    if pattern != named.model:
        return None
    return "*" if pattern in {"*", route} or route == f"{named.provider}/{pattern}" else None
