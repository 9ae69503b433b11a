"""DATABASE_URL → Django's DATABASES. SQLite by default (WAL, one writer), PostgreSQL in production."""

from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from django.conf import settings

from gateway_project.env import WrongSetting

SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 10,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16000; PRAGMA temp_store=MEMORY; "
    "PRAGMA wal_autocheckpoint=8000;",
}
FORMS = "postgresql://user:password@host/name or sqlite:///file.db"
# A process that stands still inside a transaction would hold its rows against all others.
IDLE_LIMIT = "-c idle_in_transaction_session_timeout=5s"
# Our queries take milliseconds; compiling one takes a second, and is done for those that look dear and are not.
NO_COMPILING = "-c jit=off"
# A server that is gone without a word is noticed in seconds and not in a quarter of an hour, as the kernel would.
PATIENCE = {
    "connect_timeout": "5",
    "tcp_user_timeout": "10000",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
}
PRISMA_ONLY = frozenset(
    {
        "connection_limit",
        "pool_timeout",
        "socket_timeout",
        "statement_cache_size",
        "pgbouncer",
        "schema",
        "sslidentity",
        "sslpassword",
        "sslaccept",
    }
)


def _sqlite(path: Path) -> dict[str, Any]:
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": path, "OPTIONS": dict(SQLITE_OPTIONS)}


def databases(url: str, home: Path) -> dict[str, dict[str, Any]]:
    """`default`, and with SQLite a second file `bodies` so that long texts never wait for money nor money for them."""
    if not url:
        return _sqlite_pair(home / "tallygate.sqlite3", home / "bodies.sqlite3")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise WrongSetting(f"DATABASE_URL cannot be read as an address; {FORMS} is needed.") from None
    if parts.scheme == "sqlite":
        path = _sqlite_path(parts, home)
        return _sqlite_pair(path, path.with_name(f"{path.stem}.bodies{path.suffix}"))
    if parts.scheme in {"postgres", "postgresql"}:
        return {"default": _postgres(parts)}
    raise WrongSetting(f"DATABASE_URL starts with {parts.scheme!r}; {FORMS} is needed.")


def _sqlite_pair(path: Path, bodies: Path) -> dict[str, dict[str, Any]]:
    return {"default": _sqlite(path), "bodies": _sqlite(bodies)}


def _sqlite_path(parts: SplitResult, home: Path) -> Path:
    """`sqlite:///file.db` lies in `home`, whatever folder the command was started from; `sqlite:////srv/file.db` is absolute."""
    named = unquote(parts.path).removeprefix("/")
    if parts.netloc or named in {"", ":memory:"}:
        raise WrongSetting("DATABASE_URL names no file; sqlite:///file.db (in TALLYGATE_HOME) or sqlite:////absolute/file.db is needed.")
    path = home / named
    if not path.parent.is_dir():
        raise WrongSetting(f"DATABASE_URL names a file in {path.parent}, which is not a folder. Create it or correct the address.")
    return path


def _postgres(parts: SplitResult) -> dict[str, Any]:
    options = dict(parse_qsl(parts.query))
    try:
        port = parts.port
    except ValueError:
        raise WrongSetting("DATABASE_URL has a port that is not a number. Correct it.") from None
    name = unquote(parts.path.lstrip("/"))
    if not name:
        raise WrongSetting("DATABASE_URL names no database; postgresql://user:password@host/name is needed.")
    host = options.pop("host", None) or unquote(parts.hostname or "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": _libpq_options(options),
    }


def _libpq_options(options: dict[str, str]) -> dict[str, str]:
    """What LiteLLM's addresses carry for Prisma means nothing to libpq, which refuses options that it does not know."""
    kept = {**PATIENCE, **{name: value for name, value in options.items() if name not in PRISMA_ONLY}}
    session = [kept.get("options", ""), IDLE_LIMIT, NO_COMPILING]
    if schema := options.get("schema", ""):
        session.append(f"-c search_path={schema}")
    return {**kept, "options": " ".join(filter(None, session))}


class BodiesRouter:
    """Sends RequestBody to the `bodies` database where there is one; everything else stays in `default`."""

    def db_for_read(self, model: Any, **hints: object) -> str | None:
        return _home_of(model._meta.model_name)

    def db_for_write(self, model: Any, **hints: object) -> str | None:
        return _home_of(model._meta.model_name)

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: object) -> bool | None:
        return db == (_home_of(model_name) or "default")


def _home_of(model_name: str | None) -> str | None:
    return "bodies" if model_name == "requestbody" and "bodies" in settings.DATABASES else None
