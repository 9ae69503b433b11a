"""Tables as the command line prints them: columns as wide as they must be, figures flush right."""

from collections.abc import Collection, Sequence


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], figures: Collection[str] = ()) -> list[str]:
    """A line of headings, then one per row. The columns named in `figures` are flush right."""
    texts = [columns, *rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    pads = [str.rjust if name in figures else str.ljust for name in columns]
    return ["  ".join(pad(text, width) for pad, text, width in zip(pads, line, widths, strict=True)).rstrip() for line in texts]
