"""What a call would cost, or did: a model and messages, or an answer with its usage → money, by the prices in force now."""

from typing import Any

import msgspec
from django.utils import timezone
from ninja import Schema

from billing.loading import load_prices
from billing.pricing import cost
from billing.snapshot import PriceBook
from billing.usage import Usage, UsageMerger
from console.management.errors import Refused
from routing.dialects.openai_usage import inside, usage_of
from routing.models import Deployment

# Of prose a token takes about as many.
BYTES_PER_TOKEN = 4
# Whose list is asked for a name that says no provider, in this order.
MAKERS = ("anthropic", "openai", "gemini", "mistral", "xai", "deepseek", "cohere")
ANY = "*"


class Calculation(Schema):
    model: str | None = None
    messages: list[Any] | None = None
    completion_response: dict[str, Any] | None = None


def calculated_nano(asked: Calculation) -> int:
    answer = asked.completion_response
    if answer is None and asked.messages is None:
        raise Refused("Send messages, or a completion_response.", param="messages")
    model = asked.model or (answer or {}).get("model")
    if not isinstance(model, str) or not model:
        raise Refused("Name the model.", param="model")
    usage = _guessed(asked.messages or []) if answer is None else _told(answer)
    at, book = timezone.now().timestamp(), load_prices()
    for provider, name in (*_deployed(model), *_named(model, book, at)):
        charged = cost(book, provider, name, usage, at)
        if not charged.unpriced:
            return charged.amount_nano
    raise Refused(f"There is no price for {model[:200]}.", param="model")


def _guessed(messages: list[Any]) -> Usage:
    """Input alone, by its size: nobody knows yet what comes back."""
    size = sum(len(text.encode("utf-8", "surrogateescape")) for text in _texts(messages))
    return Usage(input_tokens=-(-size // BYTES_PER_TOKEN), estimated=True)


def _texts(messages: list[Any]) -> list[str]:
    found: list[str] = []
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else message
        found.append(content if isinstance(content, str) else msgspec.json.encode(content).decode())
    return found


def _told(answer: dict[str, Any]) -> Usage:
    """Anthropic's usage, which counts what was cached apart, or OpenAI's, which counts it as part of the prompt."""
    told = inside(answer, "usage")
    if not told:
        raise Refused("The completion_response holds no usage.", param="completion_response")
    if "prompt_tokens" in told or "input_tokens_details" in told:
        return usage_of(told)
    merger = UsageMerger()
    merger.start(told)
    return merger.result()


def _deployed(model: str) -> list[tuple[str, str]]:
    """What answers for a public name, first what is asked first."""
    found = Deployment.objects.filter(routes__name=model).exclude(model=ANY).order_by("targets__order", "-targets__weight")
    return [(row.provider, row.base_model or row.model) for row in found]


def _named(model: str, book: PriceBook, at: float) -> list[tuple[str, str]]:
    """`provider/model`, or a model alone at whoever makes it."""
    provider, _, rest = model.partition("/")
    named = [(provider, rest)] if rest else [(maker, model) for maker in MAKERS]
    return [(owner, name) for owner, name in named if book.find(owner, name, at)]
