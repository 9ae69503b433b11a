"""References to secrets that lie elsewhere: `env:`, `file:`, `aws-sm:` and `vault:`, and who may name what. Pure."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

KINDS = ("env", "file", "aws-sm", "vault")
FORMS = {
    "env": "env:NAME, the name of an environment variable",
    "file": "file:NAME, a file in TALLYGATE_SECRETS_DIR",
    "aws-sm": "aws-sm:SECRET-ID, with #FIELD for one value of a JSON secret and ?region=REGION after that",
    "vault": "vault:MOUNT/PATH, with #FIELD for one value of the secret",
}
_FIELD = r"(#(?P<field>[\w.@:-]{1,128}))?"
_PATTERNS = {
    "env": re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]{0,127})"),
    "file": re.compile(r"(?P<name>/?[^/\x00-\x1f\x7f]+(/[^/\x00-\x1f\x7f]+)*)"),
    "aws-sm": re.compile(
        r"(?P<name>[\w/+=.@:!-]{1,512})(#(?P<field>[\w.@:-]{1,128}))?(\?region=(?P<region>[a-z]{2}(-[a-z]+)+-\d))?", re.ASCII
    ),
    "vault": re.compile(r"(?P<name>[\w@+-][\w.@+-]*(/[\w@+-][\w.@+-]*)+)" + _FIELD, re.ASCII),
}
_OPEN_NAMES = re.compile(r"\w*_API_KEY|(AWS|GOOGLE|AZURE)_\w+")
_OUR_NAMES = re.compile(r"(TALLYGATE|LITELLM)_\w*|DATABASE_URL|REDIS_URL")
# What Google's tools call the kinds of file that they sign with.
_GOOGLE_KEYS = frozenset({"service_account", "authorized_user"})
_GOOGLE_OTHERS = frozenset({"external_account", "external_account_authorized_user", "impersonated_service_account", "gdch_service_account"})
_GOOGLE_USUAL = "https://oauth2.googleapis.com/token"
_GOOGLE_ADDRESSES = frozenset({_GOOGLE_USUAL, "https://accounts.google.com/o/oauth2/token", "https://www.googleapis.com/oauth2/v4/token"})


class CredentialUnusable(ValueError):
    """A secret that we cannot get at; the text names what is missing and never holds the secret."""


class ReferenceRefused(CredentialUnusable):
    """A reference that cannot be, or to what its author may not name."""


class SecretMissing(CredentialUnusable):
    """A reference to what is not there."""


class SourceAway(CredentialUnusable):
    """The place where secrets lie cannot be reached now."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a secret lies. `field` is one value of a secret that is JSON."""

    kind: str
    name: str
    field: str = ""
    region: str = ""

    def __str__(self) -> str:
        text = f"{self.kind}:{self.name}" + (f"#{self.field}" if self.field else "")
        return text + (f"?region={self.region}" if self.region else "")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a reference may name. `is_operators`: it stands in the operator's own file; `is_ours`: in a setting of the gateway itself.

    Pages may name besides: names in `environment`, and aws-sm: or vault: references in `stores` (a trailing * for all that begin so).
    """

    is_operators: bool = False
    is_ours: bool = False
    environment: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    folder: Path | None = None
    home: Path | None = None


def parse(text: str) -> Reference | None:
    """The reference that a text is, None when it is none; raises ReferenceRefused for one that is malformed, without repeating it."""
    kind, colon, rest = text.partition(":")
    if not colon or kind not in KINDS:
        return None
    found = _PATTERNS[kind].fullmatch(rest)
    if found is None or ".." in PurePosixPath(rest).parts:
        raise ReferenceRefused(f"This is no reference that can be followed. Write {FORMS[kind]}.")
    named = found.groupdict()
    return Reference(kind, named["name"], named.get("field") or "", named.get("region") or "")


def check(reference: Reference, rules: Rules) -> None:
    """Raises ReferenceRefused. The operator's own file may name anything but what is ours; pages only what is open to them."""
    if rules.is_ours:
        return
    if reference.kind == "env":
        _check_name(reference.name, rules)
    elif reference.kind == "file":
        check_path(path_of(reference, rules), reference, rules)
    elif not rules.is_operators and not _is_listed(f"{reference.kind}:{reference.name}", rules.stores):
        raise ReferenceRefused(f"A credential cannot read {reference}. The operator can allow it in TALLYGATE_SECRETS_ALLOW.")


def _check_name(name: str, rules: Rules) -> None:
    upper = name.upper()
    if _OUR_NAMES.fullmatch(upper):
        raise ReferenceRefused(f"The environment variable {name} is Tallygate's own; a credential cannot use it.")
    if not (rules.is_operators or _OPEN_NAMES.fullmatch(upper) or name in rules.environment):
        raise ReferenceRefused(
            f"A credential cannot read {name}. Names such as ANTHROPIC_API_KEY or AWS_… work;"
            " the operator adds others in TALLYGATE_ENV_ALLOW."
        )


def _is_listed(named: str, listed: tuple[str, ...]) -> bool:
    return any(named == item or (item.endswith("*") and named.startswith(item[:-1])) for item in listed)


def path_of(reference: Reference, rules: Rules) -> Path:
    """Where a file: reference leads; raises ReferenceRefused where that is nowhere."""
    if rules.folder is None and not reference.name.startswith("/"):
        raise ReferenceRefused(f"{reference} lies in no folder. The operator sets TALLYGATE_SECRETS_DIR.")
    return (rules.folder or Path("/")) / reference.name


def check_path(path: Path, reference: Reference, rules: Rules) -> None:
    """Asked for the path as it is written, and again for the one that it leads to. Raises ReferenceRefused."""
    is_inside = rules.folder is not None and path.is_relative_to(rules.folder)
    if rules.home is not None and path.is_relative_to(rules.home) and not is_inside:
        raise ReferenceRefused(f"{reference} lies in TALLYGATE_HOME, which is Tallygate's own; a credential cannot use it.")
    if not (is_inside or rules.is_operators):
        raise ReferenceRefused(f"A credential cannot read {reference}: only files in TALLYGATE_SECRETS_DIR can be named.")


def picked(text: str, reference: Reference) -> str:
    """The value that a reference names in a secret that is JSON; raises SecretMissing."""
    if not reference.field:
        return text
    data = _object(text)
    if data is None:
        raise SecretMissing(f"{reference} names a field, but the secret there is no JSON object.")
    if data.get(reference.field) in (None, ""):
        raise SecretMissing(f"{reference} names a field that the secret there does not have.")
    return as_text(data[reference.field])


def as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _object(text: str) -> dict[str, Any] | None:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def fields_of(text: str, value: Callable[[str], str] = str) -> dict[str, str]:
    """A secret's parts: those of a JSON object by name, Google's own files whole as `google_json`, anything else as `api_key`.

    `value` is asked for each text that stands in a JSON object, and may put in its place what it refers to. Raises CredentialUnusable.
    """
    text = text.strip()
    if not text.startswith("{"):
        return {"api_key": text}
    data = _object(text)
    if data is None:
        raise CredentialUnusable("The secret begins like JSON but is none. Give it whole.")
    if data.get("type") in _GOOGLE_KEYS | _GOOGLE_OTHERS:
        return {"google_json": text}
    found = {name: value(part) if isinstance(part, str) else as_text(part) for name, part in data.items() if part is not None}
    return {name: part for name, part in found.items() if part}


def google_problem(text: str) -> str:
    """Why a page may not bring this key file of Google's, or an empty text: some kinds fetch from any address, read files, run programs."""
    data = _object(text) or {}
    if data.get("type") in _GOOGLE_OTHERS:
        return "Only service account and user key files can be entered here. The operator's own file, or the default chain, takes others."
    if data.get("type") in _GOOGLE_KEYS and data.get("token_uri", _GOOGLE_USUAL) not in _GOOGLE_ADDRESSES:
        return "The key file's token_uri is not Google's."
    return ""
