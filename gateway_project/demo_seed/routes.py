"""The demo's public model names and what stands behind them.

A deployment whose key is not in the environment is passed over, and last of all the built-in demo answers: calls work without any key.
The past is told as if the first of `served` had answered, and the next one where that failed.
"""

from dataclasses import dataclass

from gateway_project.demo_seed.cast import GEMINI, HAIKU, OPUS, SONNET, SONNET_JP


@dataclass(frozen=True, slots=True)
class Place:
    """A deployment: one model at one provider. A `pace` above one is slower than most."""

    name: str
    provider: str
    model: str
    region: str = ""
    project: str = ""
    pace: float = 1.0


@dataclass(frozen=True, slots=True)
class Name:
    """A public model name. `served` are its deployments, in the order in which they are asked."""

    name: str
    description: str
    demo_model: str
    served: tuple[Place, ...]


PROJECT = "nordwind-ai-prod"
CREDENTIALS = {
    "anthropic": ("Anthropic, Nordwind workspace", "env:ANTHROPIC_API_KEY"),
    "bedrock": ("AWS Bedrock, shared account", "env:AWS_BEARER_TOKEN_BEDROCK"),
    "vertex_ai": ("Google Vertex AI, nordwind-ai-prod", "env:GOOGLE_VERTEX_KEY"),
}
NAMES = (
    Name(
        OPUS,
        "The strongest. For hard refactorings and long plans.",
        "demo-opus",
        (
            Place("anthropic-opus-4-5", "anthropic", "claude-opus-4-5-20251101", pace=1.3),
            Place("vertex-opus-4-5", "vertex_ai", "claude-opus-4-5@20251101", "europe-west1", PROJECT, 1.5),
        ),
    ),
    Name(
        SONNET,
        "The usual choice for code. Falls back to Bedrock in Frankfurt.",
        "demo-sonnet",
        (
            Place("anthropic-sonnet-4-5", "anthropic", "claude-sonnet-4-5-20250929"),
            Place("bedrock-eu-sonnet-4-5", "bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "eu-central-1", pace=1.2),
        ),
    ),
    Name(
        HAIKU,
        "Fast and cheap: chats, sorting, titles.",
        "demo-haiku",
        (
            Place("anthropic-haiku-4-5", "anthropic", "claude-haiku-4-5-20251001", pace=0.5),
            Place("bedrock-eu-haiku-4-5", "bedrock", "eu.anthropic.claude-haiku-4-5-20251001-v1:0", "eu-central-1", pace=0.6),
        ),
    ),
    Name(
        SONNET_JP,
        "国内リージョンを優先します。 Tokyo first.",
        "demo-sonnet",
        (
            Place("bedrock-jp-sonnet-4-5", "bedrock", "jp.anthropic.claude-sonnet-4-5-20250929-v1:0", "ap-northeast-1", pace=1.1),
            Place("anthropic-sonnet-4-5", "anthropic", "claude-sonnet-4-5-20250929"),
        ),
    ),
    Name(
        GEMINI,
        "Long documents and tables.",
        "demo-sonnet",
        (Place("vertex-gemini-2-5-pro", "vertex_ai", "gemini-2.5-pro", "europe-west1", PROJECT),),
    ),
)
NAMED = {name.name: name for name in NAMES}
PLACES = {place.name: place for name in NAMES for place in name.served}
