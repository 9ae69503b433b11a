"""Files that another thread or process is writing."""

from pathlib import Path


def whole_lines(path: Path) -> list[bytes]:
    """The lines that have their end: whoever reads while a line is being written can see it in half, however few writes it takes."""
    text = path.read_bytes()
    return text[: text.rfind(b"\n") + 1].splitlines()
