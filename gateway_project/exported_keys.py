"""How the keys of deployments are written into an exported config.yaml: as references, for what is sealed here stays here."""

import json
import re
from dataclasses import dataclass, field

from gateway_project.model_keys import FIELDS
from gateway_project.yaml_source import REFERENCE
from routing.credentials import SEALED, decrypt
from routing.models import Credential, Deployment
from routing.references import CredentialUnusable, fields_of, parse

GOOGLE = "vertex_ai"
LONGEST = 100


@dataclass(frozen=True, slots=True)
class WrittenKey:
    """Parameters of a row, and what they are read back as: a reference, or several references as JSON."""

    params: dict[str, str] = field(default_factory=dict)
    reference: str = ""
    values: str = ""


@dataclass(slots=True)
class KeyWriter:
    """Each credential once, with a note about every one whose secret is not written."""

    notes: list[str] = field(default_factory=list)
    _known: dict[str, WrittenKey] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)

    def written(self, deployment: Deployment) -> WrittenKey:
        credential = deployment.credential
        if credential is None or not credential.secret:
            return WrittenKey()
        if credential.pk not in self._known:
            self._known[credential.pk] = self._write(credential, deployment.provider)
        return self._known[credential.pk]

    def _write(self, credential: Credential, provider: str) -> WrittenKey:
        if not credential.secret.startswith(SEALED):
            return _whole(credential.secret, provider)
        fields = _fields(credential, provider)
        references = {name: self._reference(credential, name, value) for name, value in fields.items()}
        if not references:
            return _whole(self._stand_in(credential), provider)
        theirs = {ours: name for name, ours in FIELDS[provider].items()} | {"api_key": "api_key"}
        params = {theirs[name]: _form(reference) for name, reference in references.items()}
        return WrittenKey(params, values=json.dumps(references, sort_keys=True))

    def _reference(self, credential: Credential, name: str, value: str) -> str:
        return value if _is_reference(value) else self._stand_in(credential, name)

    def _stand_in(self, credential: Credential, part: str = "") -> str:
        """A name in the environment where the secret is looked for by whoever reads the file."""
        base = re.sub(r"\W+", "_", f"secret of {credential.name} {part}".strip(), flags=re.ASCII).upper()[:LONGEST].rstrip("_")
        name = next(name for number in range(1, 10_000) if (name := base if number == 1 else f"{base}_{number}") not in self._names)
        self._names.add(name)
        what = f"{part} of credential {credential.name}" if part else f"the secret of credential {credential.name}"
        self.notes.append(f"{what} ({credential.provider}) is sealed here and not written: set {name} where this file is read")
        return f"env:{name}"


def _whole(reference: str, provider: str) -> WrittenKey:
    return WrittenKey({"vertex_credentials" if provider == GOOGLE else "api_key": _form(reference)}, reference)


def _form(reference: str) -> str:
    return REFERENCE + reference.removeprefix("env:") if reference.startswith("env:") else reference


def _fields(credential: Credential, provider: str) -> dict[str, str]:
    """The values of a sealed secret that has several, all of them such as a file can name; else nothing."""
    try:
        fields = fields_of(decrypt(credential.secret, credential.pk))
    except CredentialUnusable:
        return {}
    known = {*FIELDS.get(provider, {}).values(), "api_key"}
    return fields if len(fields) > 1 and known.issuperset(fields) else {}


def _is_reference(value: str) -> bool:
    try:
        return parse(value) is not None
    except CredentialUnusable:
        return False
