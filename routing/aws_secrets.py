"""AWS Secrets Manager, reached as AWS's own tools reach it: by the default chain of credentials, in the region that they know."""

import re
import threading
from collections.abc import Mapping
from typing import Any

from routing.references import CredentialUnusable, Reference, SecretMissing, SourceAway

NAME = "AWS Secrets Manager"
CONNECT_S, READ_S = 2, 4
_ARN = re.compile(r"arn:[a-z-]+:secretsmanager:(?P<region>[a-z0-9-]+):.+")
_CODE = re.compile(r"\w{1,80}", re.ASCII)
_TEMPORARY = frozenset({"ThrottlingException", "InternalServiceError", "InternalFailure", "ServiceUnavailable", "RequestTimeout"})


class AwsSecrets:
    """One client per region; boto3's clients, unlike its sessions, may be used by several threads."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        # Not at the top of the file: importing boto3 costs a start a quarter of a second, and few installations name a secret of AWS.
        from boto3.session import Session  # noqa: PLC0415
        from botocore import exceptions  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        self._environment = environment
        self._session: Any = Session()
        self._errors: Any = exceptions
        self._config: Any = Config(connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"total_max_attempts": 1})
        self._clients: dict[str, Any] = {}
        self._making = threading.Lock()

    def read(self, reference: Reference) -> str:
        """The secret's text; raises CredentialUnusable."""
        errors = self._errors
        try:
            answer = self._client(self._region(reference)).get_secret_value(SecretId=reference.name)
        except errors.ClientError as error:
            raise _refusal(reference, error.response) from error
        except (errors.NoCredentialsError, errors.PartialCredentialsError, errors.CredentialRetrievalError) as error:
            raise SourceAway(
                f"There are no AWS credentials to ask {NAME} with. Give this machine a role, or set AWS_ACCESS_KEY_ID."
            ) from error
        except errors.NoRegionError as error:
            raise CredentialUnusable(f"{reference} names no region. Set AWS_REGION, or add ?region=… to it.") from error
        except errors.BotoCoreError as error:
            raise SourceAway(f"{NAME} cannot be reached ({type(error).__name__}).") from error
        return _text(reference, answer)

    def _region(self, reference: Reference) -> str:
        arn = _ARN.fullmatch(reference.name)
        return reference.region or (arn["region"] if arn else "") or self._environment.get("AWS_REGION", "")

    def _client(self, region: str) -> Any:
        with self._making:
            if region not in self._clients:
                self._clients[region] = self._session.client("secretsmanager", region_name=region or None, config=self._config)
            return self._clients[region]


def _text(reference: Reference, answer: Mapping[str, Any]) -> str:
    try:
        return str(answer["SecretString"]) if "SecretString" in answer else bytes(answer["SecretBinary"]).decode()
    except (KeyError, UnicodeDecodeError):
        raise SecretMissing(f"{reference} holds no text.") from None


def _refusal(reference: Reference, response: Mapping[str, Any]) -> CredentialUnusable:
    """AWS's own sentence is left out: it names accounts and roles."""
    code = str(response.get("Error", {}).get("Code", ""))
    code = code if _CODE.fullmatch(code) else "unknown"
    if code == "ResourceNotFoundException":
        return SecretMissing(f"{NAME} has no {reference}.")
    if code in _TEMPORARY:
        return SourceAway(f"{NAME} does not answer now ({code}).")
    return CredentialUnusable(f"{NAME} refused {reference} ({code}). Check the rights of this machine's role.")
