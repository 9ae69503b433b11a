"""One event, one line of JSON, on stderr. Whatever text a caller sent stays inside its string (no forged lines, no terminal codes)."""

import json
import logging
import time


class LineFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True, default=str)


def is_no_socket(record: logging.LogRecord) -> bool:
    """uvicorn tells of every socket that opens and closes, with its query string."""
    return record.levelno > logging.INFO or not ("WebSocket" in record.msg or record.msg.startswith("connection "))
