"""`model_list` of a LiteLLM config.yaml as deployments."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from gateway_project.general_file import asks_for_nothing
from gateway_project.model_keys import FIELDS, secret_of
from gateway_project.price_keys import FilePrice, price_from
from gateway_project.yaml_source import Place, Source
from routing.model_names import passed_on, read_name
from routing.providers.compatibles import BY_NAME

LONGEST_NAME, LONGEST_ID = 200, 64
HONOURED_PARAMS = frozenset(
    {"model", "api_key", "api_base", "base_url", "timeout", "stream_timeout", "rpm", "tpm", "weight", "order", "custom_llm_provider"}
)
BEDROCK_ADDRESS = "aws_bedrock_runtime_endpoint"
HONOURED_BY = {
    "azure": frozenset({"api_version"}),
    "azure_ai": frozenset({"api_version"}),
    "bedrock": frozenset({"aws_region_name", "region_name", BEDROCK_ADDRESS, "model_id"}),
    "vertex_ai": frozenset({"vertex_project", "vertex_location", "vertex_credentials"}),
}
# There a key opens nothing.
KEYLESS = {"vertex_ai": frozenset({"api_key"})}
# Parameters, and environment names for rows that say nothing; the first that says something wins.
Words = Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
REGIONS: Words = {
    "bedrock": (("aws_region_name", "region_name"), ("AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION")),
    "vertex_ai": (("vertex_location",), ("VERTEXAI_LOCATION",)),
}
PROJECTS: Words = {"vertex_ai": (("vertex_project",), ("VERTEXAI_PROJECT", "GOOGLE_CLOUD_PROJECT"))}
VERSIONS: Words = {"azure": (("api_version",), ("AZURE_API_VERSION",)), "azure_ai": (("api_version",), ())}
ADDRESSES = {"azure": "AZURE_API_BASE", "azure_ai": "AZURE_AI_API_BASE"}
# Of those that have an address of their own. Never ANTHROPIC_BASE_URL: it is how clients of ours are told where we are.
OTHER_ADDRESSES = {"anthropic": "ANTHROPIC_API_BASE", "bedrock": "AWS_BEDROCK_RUNTIME_ENDPOINT"}
RESPONSES = "/v1/responses"
# Names of rows that `tallygate export` writes, so that they are found again.
OWN_NAME, OWN_CREDENTIAL = "tallygate_name", "tallygate_credential"
HONOURED_INFO = frozenset({"base_model", "id", OWN_NAME, OWN_CREDENTIAL})


@dataclass(frozen=True, slots=True)
class FileDeployment:
    """One row of model_list; `rpm` is its weight where it has no other, else `tpm`, as with LiteLLM.

    Its key is a `reference` (`env:NAME`) or, where the file holds the key itself or several values as JSON, `api_key`.
    `id`, `name` and `credential` are what its rows are called, where the file says so.
    """

    route: str
    provider: str
    model: str
    reference: str = ""
    api_key: str = field(default="", repr=False)
    api_base: str = ""
    region: str = ""
    project: str = ""
    api: str = ""
    api_version: str = ""
    base_model: str = ""
    timeout_s: float | None = None
    stream_timeout_s: float | None = None
    rpm: int | None = None
    tpm: int | None = None
    weight: float = 1
    order: int = 1
    id: str = ""
    name: str = ""
    credential: str = ""
    price: FilePrice | None = None


class LeftOut(Exception):
    """A row that nothing can be made of; the text is what is told of it."""


def deployments_from(source: Source) -> tuple[tuple[FileDeployment, ...], list[str]]:
    """The deployments, and the dotted keys (or whole rows) that have no effect."""
    rows = source.data.get("model_list")
    if rows is None:
        return (), []
    if not isinstance(rows, list):
        raise source.wrong(("model_list",), "must be a list of rows that start with `- model_name:`.")
    found, ignored = [], []
    owners: dict[str, str] = {}
    for index in range(len(rows)):
        row = _Row(source, index)
        try:
            deployment = row.deployment()
            if deployment.id and owners.setdefault(deployment.id, deployment.name or str(index)) != (deployment.name or str(index)):
                raise LeftOut("its model_info.id is another row's already")
            found.append(deployment)
        except LeftOut as reason:
            ignored.append(f"model_list[{index}] ({reason})")
        else:
            ignored += row.without_effect()
    return tuple(found), ignored


class _Row:
    """One row under reading; `named` is what its model says."""

    def __init__(self, source: Source, index: int) -> None:
        self._source = source
        self._place: Place = ("model_list", index, "litellm_params")
        self._row = source.section("model_list", index)
        self._params = source.section(*self._place)
        self._route = self._required(self._row, ("model_list", index, "model_name"), "the name that people ask for")
        self._written = self._required(self._params, (*self._place, "model"), "provider/model such as anthropic/claude-sonnet-4-5")
        self._base, self._version = self._address("api_base", "base_url")
        self._named = read_name(self._written, self._text("custom_llm_provider"), self._base)
        if self._named.provider == "bedrock" and not self._base:
            self._base, _ = self._address(BEDROCK_ADDRESS)
        # what Bedrock is to be asked for instead: an ARN, of which the model is only the kind
        self._arn = self._text("model_id") if self._named.provider == "bedrock" else ""
        info = self._row.get("model_info")
        self._info: dict[str, Any] = info if isinstance(info, dict) else {}
        endpoints = self._info.get("supported_endpoints")
        self._price, self._of_price = price_from(source, ("model_list", index), self._params, self._info)
        self._has_responses = self._named.provider in BY_NAME and isinstance(endpoints, list) and RESPONSES in endpoints

    def deployment(self) -> FileDeployment:
        named = self._named
        if not named.is_known:
            raise LeftOut(f"{self._written}: provider {named.provider or 'unknown'}")
        model = passed_on(self._route, self._written, named)
        if model is None:
            raise LeftOut(f"{self._written}: a pattern that differs from its name")
        if self._says_address() and not self._base:
            raise LeftOut("api_base refers to an environment name that is not set")
        reference, api_key = secret_of(self._source, self._params, self._place, named.provider)
        return FileDeployment(
            self._route,
            named.provider,
            self._arn or model,
            reference,
            api_key,
            self._base or self._usual_address(),
            region=named.region or self._first(REGIONS),
            project=self._first(PROJECTS),
            api=named.api or ("responses" if self._has_responses else ""),
            api_version=self._version or self._first(VERSIONS),
            base_model=self._base_model(),
            id=self._info_text("id", LONGEST_ID),
            name=self._info_text(OWN_NAME),
            credential=self._info_text(OWN_CREDENTIAL),
            price=self._price,
            **self._numbers(),
        )

    def without_effect(self) -> list[str]:
        """Without the row's number: a hundred rows with the same parameter are one thing to read."""
        provider = self._named.provider
        honoured = HONOURED_PARAMS | HONOURED_BY.get(provider, frozenset()) | FIELDS.get(provider, {}).keys()
        honoured = (honoured - KEYLESS.get(provider, frozenset())) | self._of_price
        of_info = HONOURED_INFO | self._of_price | ({"supported_endpoints"} if self._has_responses else set())
        params = (name for name, value in self._params.items() if name not in honoured and not asks_for_nothing(value))
        return [
            *(f"model_list[].litellm_params.{name}" for name in params),
            *(f"model_list[].model_info.{name}" for name in self._info if name not in of_info),
            *(f"model_list[].{name}" for name in self._row if name not in {"model_name", "litellm_params", "model_info"}),
        ]

    def _required(self, holder: dict[str, Any], place: Place, meaning: str) -> str:
        value = self._source.text(holder.get(str(place[-1])), *place)
        if not value or len(value) > LONGEST_NAME:
            raise self._source.wrong(place, f"is needed: {meaning}, at most {LONGEST_NAME} characters.")
        return value

    def _text(self, name: str) -> str:
        return self._source.text(self._params.get(name), *self._place, name)

    def _says_address(self) -> bool:
        return any(self._params.get(name) for name in ("api_base", "base_url"))

    def _address(self, *names: str) -> tuple[str, str]:
        """The address, and the api-version that people copy from Azure's pages together with it."""
        name = next((name for name in names if self._params.get(name)), names[0])
        base, mark, query = self._text(name).partition("?")
        version = next(iter(parse_qs(query).get("api-version", [])), "")
        if base and not base.startswith(("http://", "https://")):
            raise self._source.wrong((*self._place, name), "must start with https:// or http://.")
        if mark and not version:
            raise self._source.wrong((*self._place, name), "cannot have a query.")
        return base.rstrip("/"), version

    def _usual_address(self) -> str:
        """Where a row names none: from the environment. Raises LeftOut for providers that have no address of their own."""
        provider = self._named.provider
        row = BY_NAME.get(provider)
        name = row.base_name if row else (ADDRESSES | OTHER_ADDRESSES).get(provider, "")
        found = self._source.env(name).rstrip("/") if name else ""
        if not found and (provider in ADDRESSES or (row is not None and row.base.startswith("/"))):
            raise LeftOut(f"{self._written}: api_base is needed")
        return found

    def _first(self, table: Words) -> str:
        params, names = table.get(self._named.provider, ((), ()))
        said = (self._text(name) for name in params if self._params.get(name))
        return next((text for text in said if text), "") or next((text for name in names if (text := self._source.env(name))), "")

    def _base_model(self) -> str:
        """What prices are looked up by; LiteLLM's users write it with or without the provider."""
        written = self._source.text(self._info.get("base_model"), *self._place[:2], "model_info", "base_model")
        if not written:
            return self._named.model if self._arn else ""
        found = read_name(written)
        return found.model if found.provider == self._named.provider else written

    def _info_text(self, name: str, longest: int = LONGEST_NAME) -> str:
        place = (*self._place[:2], "model_info", name)
        written = self._info.get(name)
        text = self._source.text(str(written) if type(written) is int else written, *place)
        if len(text) > longest or not text.isprintable():
            raise self._source.wrong(place, f"must be at most {longest} characters, all of them to be seen.")
        return text

    def _numbers(self) -> dict[str, Any]:
        names = ("timeout", "stream_timeout", "rpm", "tpm", "weight", "order")
        timeout, between, rpm, tpm, weight, order = (self._source.number(self._params.get(name), *self._place, name) for name in names)
        return {
            "timeout_s": timeout or None,
            "stream_timeout_s": between or None,
            "rpm": int(rpm) if rpm else None,
            "tpm": int(tpm) if tpm else None,
            "weight": (rpm or tpm or 1) if weight is None else weight,
            "order": int(order or 1),
        }
