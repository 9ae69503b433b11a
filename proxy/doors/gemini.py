"""The entrance of Gemini's own clients: /gemini/v1beta/models/{model}:{verb}, and at the root as gemini-cli has it."""

from dataclasses import dataclass, replace
from urllib.parse import parse_qs

from proxy.doors.paths import segments
from proxy.endpoints import Endpoint, Place
from routing.dialects.base import PathAsk
from routing.dialects.gemini import GEMINI, GEMINI_ARRAY, GEMINI_COUNT, GEMINI_EMBED, GEMINI_EMBEDS


@dataclass(frozen=True, slots=True)
class Verbs:
    """Gemini's calls as an entrance has them: by their verb for whole answers, and streams as events or as one array."""

    whole: dict[str, Endpoint]
    events: Endpoint
    array: Endpoint

    @classmethod
    def of(cls, cloud: str) -> "Verbs":
        generate = Endpoint("gemini", ("POST",), "gemini", GEMINI, is_billed=True, cloud=cloud)
        embed = Endpoint("gemini_embed", ("POST",), "gemini_embed", GEMINI_EMBED, is_billed=True, cloud=cloud)
        embeds = Endpoint("gemini_embeds", ("POST",), "gemini_embeds", GEMINI_EMBEDS, is_billed=True, cloud=cloud)
        count = Endpoint("gemini_count", ("POST",), "gemini_count", GEMINI_COUNT, cloud=cloud)
        whole = {"generateContent": generate, "countTokens": count, "embedContent": embed, "batchEmbedContents": embeds}
        return cls(whole, generate, replace(generate, dialect=GEMINI_ARRAY))


OWN, VERTEX = Verbs.of("gemini"), Verbs.of("vertex_ai")
STREAM = "streamGenerateContent"
VERSIONS = ("v1beta", "v1alpha", "v1")


def find(method: str, raw_path: bytes, query: bytes) -> Place | None:
    match segments(raw_path):
        case ["gemini", version, "models", last] if version in VERSIONS:
            return place(last, query, OWN)
        case ["v1beta", "models", last]:
            return place(last, query, OWN)
    return None


def place(last: str, query: bytes, verbs: Verbs) -> Place | None:
    """What a path's last part leads to, `model:verb`. A stream comes as events where the query wants them, else as one array."""
    model, _, verb = last.rpartition(":")
    if model and verb == STREAM:
        wants_events = parse_qs(query.decode("latin-1")).get("alt", [""])[-1] == "sse"
        return Place(verbs.events if wants_events else verbs.array, PathAsk(model, True))
    endpoint = verbs.whole.get(verb)
    return Place(endpoint, PathAsk(model, False)) if endpoint is not None and model else None
