"""Google's endpoint that gives tokens, and a key file that opens it: assertions are verified with the key's public half."""

import functools
import json
from collections import deque
from collections.abc import Mapping
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt

from tests.fakes.line import Seen
from tests.fakes.messages import dump
from tests.fakes.script import Answer

AUDIENCE = "https://oauth2.googleapis.com/token"
ACCOUNT = "gateway@fake-project.iam.gserviceaccount.com"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


@functools.cache
def _keys() -> tuple[str, str]:
    """(private, public), made once."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def key_file(address: str, **changes: str) -> str:
    """A service account's key file whose tokens come from the fake at this address."""
    data = {
        "type": "service_account",
        "project_id": "fake-project",
        "private_key_id": "fake-key-id",
        "private_key": _keys()[0],
        "client_email": ACCOUNT,
        "client_id": "1",
        "token_uri": f"{address}/token",
    }
    return json.dumps({**data, **changes})


class TokenEndpoint:
    """Gives `token` to whoever proves itself; `script` has answers to give instead."""

    def __init__(self, token: str, lifetime_s: int = 3600) -> None:
        self.token, self.lifetime_s = token, lifetime_s
        self.script: deque[Answer] = deque()
        self.given = 0

    def answer(self, seen: Seen) -> Answer:
        if self.script:
            return self.script.popleft()
        form = {name: values[0] for name, values in parse_qs(seen.body.decode()).items()}
        if problem := _problem(form):
            seen.problems.append(problem)
            return Answer(status=400, body=dump({"error": "invalid_grant", "error_description": problem}))
        self.given += 1
        return Answer(body=dump({"access_token": self.token, "expires_in": self.lifetime_s, "token_type": "Bearer"}))


def _problem(form: Mapping[str, str]) -> str:
    try:
        claims = jwt.decode(form["assertion"], certs=_keys()[1], audience=AUDIENCE)
    except (KeyError, ValueError) as error:
        return f"Invalid JWT: {error}"
    return "" if (claims["iss"], claims["scope"]) == (ACCOUNT, SCOPE) else "wrong issuer or scope"
