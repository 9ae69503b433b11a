"""The entrance of clients in Vertex mode: Google's paths under /vertex_ai, with and without the API's version.

The project and the location in the path are the caller's guess; those of the deployment count.
"""

from proxy.doors import gemini
from proxy.doors.paths import segments
from proxy.endpoints import Endpoint, Place
from routing.dialects.base import PathAsk
from routing.dialects.raw_predict import RAW_COUNT, RAW_PREDICT

MESSAGES = Endpoint("vertex_messages", ("POST",), "messages", RAW_PREDICT, is_billed=True, cloud="vertex_ai")
COUNT = Endpoint("vertex_count_tokens", ("POST",), "count_tokens", RAW_COUNT, cloud="vertex_ai")
PREFIXES = ("vertex_ai", "vertex", "vertex-ai")
VERSIONS = ("v1", "v1beta1")
IS_STREAM = {"rawPredict": False, "streamRawPredict": True}


def find(method: str, raw_path: bytes, query: bytes) -> Place | None:
    parts = segments(raw_path)
    if parts[:1] and parts[0] in PREFIXES:
        rest = parts[2:] if parts[1:2] and parts[1] in VERSIONS else parts[1:]
        match rest:
            case ["projects", _, "locations", _, "publishers", "anthropic", "models", last]:
                return _claude(last)
            case ["projects", _, "locations", _, "publishers", "google", "models", last]:
                return gemini.place(last, query, gemini.VERTEX)
    return None


def _claude(last: str) -> Place | None:
    if last == "count-tokens:rawPredict":
        return Place(COUNT)
    model, _, verb = last.rpartition(":")
    return Place(MESSAGES, PathAsk(model, IS_STREAM[verb])) if model and verb in IS_STREAM else None
