"""HashiCorp Vault: VAULT_ADDR, and VAULT_TOKEN or VAULT_ROLE_ID with VAULT_SECRET_ID. Key-value engines of both versions."""

import json
import threading
import time
from collections.abc import Mapping
from typing import Any

from routing.references import CredentialUnusable, Reference, SecretMissing, SourceAway

TIMEOUT_S = 4
# How often secrets are read, and how often a token without an end is asked whether it has one by now.
LOOKS_S, LASTING_S = 300, 3600
MISSING = "vault: references need the package hvac. Install Tallygate with its extra: pip install 'tallygate[vault]'."


class VaultSecrets:
    """One signed-in client. hvac reads VAULT_CACERT and its like by itself."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        try:
            import hvac  # noqa: PLC0415 - an optional extra
        except ImportError:
            raise CredentialUnusable(MISSING) from None
        address = environment.get("VAULT_ADDR", "")
        if not address:
            raise CredentialUnusable("vault: references need the address of Vault. Set VAULT_ADDR.")
        self._token = environment.get("VAULT_TOKEN", "")
        self._role = {name: environment.get(f"VAULT_{name.upper()}", "") for name in ("role_id", "secret_id")}
        if not self._token and not all(self._role.values()):
            raise CredentialUnusable("vault: references need a sign-in to Vault. Set VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID.")
        self._errors: Any = hvac.exceptions
        namespace = environment.get("VAULT_NAMESPACE") or None
        self._client: Any = hvac.Client(address, self._token, timeout=TIMEOUT_S, allow_redirects=False, namespace=namespace)
        # else a line of .netrc would go to Vault, and a proxy of the environment would see the secrets
        self._client.session.trust_env = False
        self._renew_at = 0.0
        self._asking = threading.Lock()

    def read(self, reference: Reference) -> str:
        """The secret as JSON text; raises CredentialUnusable."""
        errors = self._errors
        with self._asking:
            try:
                return json.dumps(self._read(reference))
            except errors.InvalidPath as error:
                raise SecretMissing(f"Vault has no {reference}.") from error
            except (errors.Forbidden, errors.Unauthorized, errors.InvalidRequest) as error:
                raise CredentialUnusable(
                    f"Vault refused {reference} ({type(error).__name__}). Check the sign-in and its policy."
                ) from error
            except (errors.VaultError, OSError) as error:
                raise SourceAway(f"Vault cannot be reached, or does not answer ({type(error).__name__}).") from error
            except (KeyError, TypeError, ValueError):
                raise SourceAway("What answers at VAULT_ADDR does not answer like Vault.") from None

    def _read(self, reference: Reference) -> dict[str, Any]:
        self._sign_in()
        try:
            return self._value(reference)
        except self._errors.Forbidden:
            if self._token:
                raise
        self._renew_at = 0.0  # the role's token may have been revoked
        self._sign_in()
        return self._value(reference)

    def _sign_in(self) -> None:
        """A role gets a new token, and one of the operator's is asked to live on, when it would be in its last third at the next look."""
        if time.monotonic() < self._renew_at:
            return
        lifetime_s = self._prolong() if self._token else int(self._client.auth.approle.login(**self._role)["auth"]["lease_duration"])
        self._renew_at = time.monotonic() + (lifetime_s * 2 / 3 - LOOKS_S if lifetime_s else LASTING_S)

    def _prolong(self) -> int:
        """Root tokens, and those that were made so, cannot be renewed; they simply end."""
        try:
            return int(self._client.auth.token.renew_self()["auth"]["lease_duration"])
        except (self._errors.InvalidRequest, self._errors.Forbidden):
            return 0

    def _value(self, reference: Reference) -> dict[str, Any]:
        mount, is_second = self._engine(reference.name)
        path = reference.name.removeprefix(f"{mount}/")
        engine = self._client.secrets.kv
        if is_second:
            found = engine.v2.read_secret_version(path, mount_point=mount, raise_on_deleted_version=True)["data"]["data"]
        else:
            found = engine.v1.read_secret(path, mount_point=mount)["data"]
        if not isinstance(found, dict):
            raise TypeError
        return found

    def _engine(self, name: str) -> tuple[str, bool]:
        """Where the engine is mounted, and whether it keeps versions, as Vault's own command line finds out; else its usual form."""
        try:
            told = self._client.adapter.get(f"/v1/sys/internal/ui/mounts/{name}")["data"]
        except (self._errors.Forbidden, self._errors.InvalidPath):
            return name.partition("/")[0], True
        return str(told["path"]).strip("/"), (told.get("options") or {}).get("version") == "2"
