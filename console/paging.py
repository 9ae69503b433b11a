"""Which page of a list the URL asks for."""

LAST_PAGE = 10_000


def page_number(text: str) -> int:
    """From 1; whatever cannot be meant is the first page."""
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(LAST_PAGE))
    return min(LAST_PAGE, max(1, int(text))) if is_number else 1
