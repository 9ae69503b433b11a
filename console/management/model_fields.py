"""Bodies of /model/new and /model/update → what our verbs take. In updates a null says nothing, as with LiteLLM."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field

from console.management.credential_values import AWS, AZURE, PARTS, fits, secret_of, texts
from console.management.errors import Refused
from console.management.fields import BigLimit, Body, Limit, kept_with_parts
from routing.model_names import passed_on, read_name
from routing.models import Credential, Deployment

# With these a deployment would be opened by something else than what was sent, so they are not merely named as ignored.
PARTS_OF_CREDENTIALS = AWS | AZURE | {"vertex_credentials", "organization"}
# Their field → ours.
PLAIN = {
    "api_base": "base_url",
    "api_version": "api_version",
    "region": "region",
    "vertex_project": "project",
    "rpm": "rpm_limit",
    "tpm": "tpm_limit",
    "timeout": "first_byte_timeout_s",
    "stream_timeout": "idle_timeout_s",
}


def _printable(name: str) -> str:
    if name != name.strip() or not name.isprintable():
        raise ValueError("blanks at the ends and control characters cannot be in a name")
    return name


NullIsEmpty = BeforeValidator(lambda value: {} if value is None else value)
PublicName = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
# Deployments' ids stand in headers, regions in host names.
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{0,40}$")]
Seconds = Annotated[float, Field(ge=0.1, le=86_400, allow_inf_nan=False)]


class ModelParams(Body):
    model: str | None = Field(None, min_length=1, max_length=300)
    custom_llm_provider: str | None = None
    api_key: str | None = Field(None, max_length=20_000)
    litellm_credential_name: str | None = None
    api_base: str | None = Field(None, max_length=500, validation_alias=AliasChoices("api_base", "base_url"))
    api_version: Word | None = None
    region: Word | None = Field(None, validation_alias=AliasChoices("aws_region_name", "region_name", "vertex_location"))
    vertex_project: Word | None = None
    rpm: Limit | None = None
    tpm: BigLimit | None = None
    weight: Limit | None = None
    order: Limit | None = None
    timeout: Seconds | None = None
    stream_timeout: Seconds | None = None

    def kept_over(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """What opens the provider is not kept beside it."""
        return {name: value for name, value in super().kept_over(known).items() if name not in PARTS_OF_CREDENTIALS}


class ModelInfo(Body):
    id: Id | None = None
    base_model: str | None = Field(None, max_length=200)
    db_model: bool | None = None


class ModelFields(Body):
    model_name: PublicName | None = None
    litellm_params: Annotated[ModelParams, NullIsEmpty] = ModelParams.model_validate({})
    model_info: Annotated[ModelInfo, NullIsEmpty] = ModelInfo.model_validate({})

    @property
    def _parts(self) -> dict[str, Body]:
        return {"litellm_params": self.litellm_params, "model_info": self.model_info}

    def kept_over(self, known: Mapping[str, Any]) -> dict[str, Any]:
        return kept_with_parts(self, self._parts, known)

    def all_ignored(self) -> dict[str, Any]:
        inner = {
            f"{part}.{name}": value
            for part, body in self._parts.items()
            for name, value in body.ignored().items()
            if name not in PARTS_OF_CREDENTIALS
        }
        return self.ignored() | inner


class NewModel(ModelFields):
    model_name: PublicName
    litellm_params: ModelParams


def changes_of(asked: ModelFields, route: str) -> dict[str, Any]:
    """A deployment's columns, less its credential: only what was sent. `route` is the public name that will lead to it."""
    params = asked.litellm_params
    changes = {ours: value for theirs, ours in PLAIN.items() if (value := getattr(params, theirs)) is not None}
    if "base_url" in changes:
        changes["base_url"] = changes["base_url"].rstrip("/")
    if params.model:
        changes = named(params, route) | changes
    if asked.model_info.base_model is not None:
        changes["base_model"] = asked.model_info.base_model
    return changes


def named(params: ModelParams, route: str) -> dict[str, Any]:
    """What the name alone says, read as in a config.yaml: the provider, its model, and for Bedrock the way and the region."""
    written = params.model or ""
    found = read_name(written, params.custom_llm_provider or "", params.api_base or "")
    if not found.is_known:
        text = f"{written[:200]!r} names no provider that is known here. Write provider/model, such as anthropic/claude-sonnet-4-5."
        raise Refused(text, param="litellm_params.model")
    model = passed_on(route, written, found)
    if model is None:
        raise Refused("The pattern of litellm_params.model must be that of model_name.", param="litellm_params.model")
    said = {"api": found.api, "region": found.region}
    return {"provider": found.provider, "model": model} | {name: value for name, value in said.items() if value}


def secret_in(params: ModelParams, provider: str) -> str:
    """What opens the provider, of what was sent: a key, a reference, or the parts that this provider takes."""
    parts = {name: value for name, value in params.ignored().items() if name in PARTS_OF_CREDENTIALS}
    if foreign := sorted(parts.keys() - PARTS.get(provider, frozenset())):
        text = f"{foreign[0]} is no part of what opens {provider}."
        raise Refused(text, param=f"litellm_params.{foreign[0]}")
    return secret_of(texts({"api_key": params.api_key} | parts))


def credential_named(name: str, provider: str) -> Credential:
    found = Credential.objects.filter(name=name).first()
    if found is None or not fits(found, provider):
        raise Refused(f"There is no credential {name[:200]!r} for {provider}.", param="litellm_params.litellm_credential_name")
    return found


def named_deployment(deployment_id: str | None) -> Deployment:
    """One that was made here; the configuration file's are changed in the file."""
    if not deployment_id:
        raise Refused("Name the model by its id.", param="id")
    found = Deployment.objects.filter(pk=deployment_id).select_related("credential").first()
    if found is None:
        raise Refused(f"There is no model with id={deployment_id}.", type="not_found_error", param="id", status=404)
    return found
