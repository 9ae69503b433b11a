"""The entrance of clients in Azure mode: /openai/deployments/{name}/..., with or without /azure before it. The path names the model."""

from proxy.doors.paths import segments
from proxy.endpoints import CHAT, COMPLETIONS, EMBEDDINGS, Endpoint, Place
from routing.dialects.base import PathAsk

BY_PATH = {
    ("chat", "completions"): Endpoint("azure_chat", ("POST",), "chat", CHAT.dialect, is_billed=True, cloud="azure"),
    ("completions",): Endpoint("azure_completions", ("POST",), "completions", COMPLETIONS.dialect, is_billed=True, cloud="azure"),
    ("embeddings",): Endpoint("azure_embeddings", ("POST",), "embeddings", EMBEDDINGS.dialect, is_billed=True, cloud="azure"),
}


def find(method: str, raw_path: bytes, query: bytes) -> Place | None:
    parts = segments(raw_path)
    match parts[1:] if parts[:1] == ["azure"] else parts:
        case ["openai", "deployments", name, *rest]:
            endpoint = BY_PATH.get(tuple(rest))
            return Place(endpoint, PathAsk(name)) if endpoint is not None else None
    return None
