"""Citations of Messages ↔ those of Converse: the same kinds of place under other names."""

from typing import Any

# Kind in Messages: (kind in Converse, the index there, the index here, start here, end here)
PLACES = {
    "char_location": ("documentChar", "documentIndex", "document_index", "start_char_index", "end_char_index"),
    "page_location": ("documentPage", "documentIndex", "document_index", "start_page_number", "end_page_number"),
    "content_block_location": ("documentChunk", "documentIndex", "document_index", "start_block_index", "end_block_index"),
    "search_result_location": ("searchResultLocation", "searchResultIndex", "search_result_index", "start_block_index", "end_block_index"),
}
KINDS = {place[0]: kind for kind, place in PLACES.items()}


def to_converse(citation: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    title = citation.get("document_title", citation.get("title"))
    if title is not None:
        said["title"] = title
    if citation.get("source") is not None:
        said["source"] = citation["source"]
    if citation.get("cited_text") is not None:
        said["sourceContent"] = [{"text": citation["cited_text"]}]
    kind = citation.get("type", "")
    if kind in PLACES:
        member, there, here, start, end = PLACES[kind]
        said["location"] = {member: {there: citation.get(here), "start": citation.get(start), "end": citation.get(end)}}
    elif citation.get("url") is not None:
        said["location"] = {"web": {"url": citation["url"]}}
    return said


def to_messages(citation: dict[str, Any]) -> dict[str, Any]:
    """A citation whose place is of no kind that Messages knows is told as one of a page on the web, which needs least."""
    text = "".join(part.get("text", "") for part in citation.get("sourceContent") or [])
    title, source = citation.get("title"), citation.get("source") or ""
    location = citation.get("location") or {}
    for member, place in location.items():
        if member in KINDS:
            kind = KINDS[member]
            _, there, here, start, end = PLACES[kind]
            said = {"type": kind, "cited_text": text, here: place.get(there, 0), start: place.get("start", 0), end: place.get("end", 0)}
            return said | ({"source": source, "title": title} if kind == "search_result_location" else {"document_title": title})
    url = (location.get("web") or {}).get("url") or source
    return {"type": "web_search_result_location", "cited_text": text, "url": url, "title": title, "encrypted_index": ""}
