"""What a row of `model_list` says about its price, under LiteLLM's names: US dollars per token."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from billing.money import BadAmount, pico_per_token
from gateway_project.yaml_source import Place, Source

INPUT, OUTPUT = "input_cost_per_token", "output_cost_per_token"
COLUMNS = {
    INPUT: "input_pico",
    OUTPUT: "output_pico",
    "cache_read_input_token_cost": "cache_read_pico",
    "cache_creation_input_token_cost": "cache_write_5m_pico",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h_pico",
}
# These answer with numbers or nothing that is counted, so that nobody writes a price of what comes out.
WITHOUT_OUTPUT = frozenset({"embedding", "rerank"})
_TOKENS = 6  # prices are kept per million tokens, as a power of ten


@dataclass(frozen=True, slots=True)
class FilePrice:
    """pico-USD per token; None where the list's proportions hold."""

    input_pico: int
    output_pico: int
    cache_read_pico: int | None = None
    cache_write_5m_pico: int | None = None
    cache_write_1h_pico: int | None = None


def price_from(source: Source, place: Place, params: dict[str, Any], info: dict[str, Any]) -> tuple[FilePrice | None, frozenset[str]]:
    """The price, and the names that make it. A price of one direction alone is none."""
    found: dict[str, int] = {}
    for name, column in COLUMNS.items():
        holder, section = (params, "litellm_params") if params.get(name) is not None else (info, "model_info")
        amount = _pico(source, holder.get(name), (*place, section, name))
        if amount is not None:
            found[column] = amount
    if info.get("mode") in WITHOUT_OUTPUT and "input_pico" in found:
        found.setdefault("output_pico", 0)
    if not {"input_pico", "output_pico"} <= found.keys():
        return None, frozenset()
    return FilePrice(**found), frozenset(COLUMNS)


def written_price(price: FilePrice) -> dict[str, float]:
    """As LiteLLM writes it. The shortest text of such a number is the price itself, so that nothing is lost on the way back."""
    amounts = {name: getattr(price, column) for name, column in COLUMNS.items()}
    return {name: float(Decimal(pico).scaleb(-12)) for name, pico in amounts.items() if pico is not None}


def _pico(source: Source, value: object, place: Place) -> int | None:
    written = source.resolved(value)
    if written is None:
        return None
    try:
        # 3e-06 is text to YAML, and 3.0e-06 a number
        return pico_per_token(Decimal(str(written)).scaleb(_TOKENS))
    except (InvalidOperation, BadAmount):
        raise source.wrong(place, "must be US dollars per token, such as 0.000003.") from None
