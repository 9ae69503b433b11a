"""Checks a signature of AWS as AWS does: made again from what arrived, with the secret that belongs to the id."""

import re
from collections.abc import Mapping
from hmac import compare_digest

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.fakes.line import Seen

_authorization = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>[^/]+)/(?P<date>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z-]+)/aws4_request, "
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)


def fault_of(seen: Seen, secrets: Mapping[str, str], region: str, service: str) -> str:
    """What AWS would say is wrong with a signed request, or an empty text."""
    found = _authorization.fullmatch(seen.header("authorization") or "")
    if found is None:
        return "MissingAuthenticationTokenException: Missing Authentication Token"
    if found["id"] not in secrets:
        return "UnrecognizedClientException: The security token included in the request is invalid."
    if (found["region"], found["service"]) != (region, service):
        return f"InvalidSignatureException: Credential should be scoped to {region} and {service}"
    names = found["headers"].split(";")
    if "host" not in names or "x-amz-date" not in names:
        return "InvalidSignatureException: host and x-amz-date must be signed"
    if not compare_digest(_expected(seen, names, found["id"], secrets[found["id"]], (region, service)), found["signature"]):
        return "InvalidSignatureException: The request signature we calculated does not match the signature you provided."
    return ""


def _expected(seen: Seen, names: list[str], key: str, secret: str, scope: tuple[str, str]) -> str:
    region, service = scope
    query = f"?{seen.query.decode()}" if seen.query else ""
    url = f"http://{seen.header('host')}{seen.path.decode()}{query}"
    headers = {name: seen.header(name) or "" for name in names}
    request = AWSRequest(method=seen.method, url=url, data=seen.body, headers=headers)
    request.context["timestamp"] = seen.header("x-amz-date")
    signer = SigV4Auth(Credentials(key, secret), service, region)
    return str(signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request))
