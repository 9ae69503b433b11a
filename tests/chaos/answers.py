"""What the provider answers in the chaos rig, by model name, and what callers ask for.

Texts and token counts fit together (four bytes a token, as real ones do), so that an estimate from bytes can be held against the truth.
"""

from dataclasses import dataclass

from tests.fakes.messages import Json
from tests.fakes.script import Answer, refusal

# nano-USD a token: $3 and $15 a million. Whole nanos, so that the bill needs no rounding.
INPUT_NANO = 3000
OUTPUT_NANO = 15000
FAMILY = "chaos-*"
BYTES_PER_TOKEN = 4
HIDDEN_TOKENS = 128_000
LONG_TOKENS = 6000
FIRST_GRANT = 4096


def _said(tokens: int) -> tuple[Json, ...]:
    return ({"type": "text", "text": "word" * tokens},)


REPERTOIRE: dict[str, Answer] = {
    "chaos-quick": Answer(blocks=_said(40), output_tokens=40),
    "chaos-slow": Answer(blocks=_said(400), output_tokens=400, deltas=40, gap_s=0.02),
    "chaos-late": Answer(blocks=_said(200), output_tokens=200, delay_s=0.4),
    "chaos-long": Answer(blocks=_said(LONG_TOKENS), output_tokens=LONG_TOKENS, deltas=60, gap_s=0.01),
    "chaos-cut": Answer(blocks=_said(100), output_tokens=100, deltas=10, gap_s=0.01, fault="eof", fault_after=8),
    "chaos-reset": Answer(blocks=_said(100), output_tokens=100, deltas=10, gap_s=0.01, fault="reset", fault_after=6),
    "chaos-error": Answer(blocks=_said(100), output_tokens=100, deltas=10, fault="error", fault_after=9),
    "chaos-overloaded": refusal(529),
    "chaos-endless": Answer(blocks=_said(600), output_tokens=600, deltas=600, gap_s=0.1),
    "chaos-hidden": Answer(blocks=_said(20), output_tokens=HIDDEN_TOKENS, deltas=2),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of call in the mixture. `leaves` calls are broken off by their client after the first pieces.

    `excess_tokens` is what the provider generates beyond all that can be held for it.
    """

    model: str
    weight: int
    is_stream: bool = True
    max_tokens: int = 1000
    leaves: bool = False
    thinks: bool = False
    excess_tokens: int = 0


# Callers leave slow streams only: what a provider makes between our hanging up and its noticing is told to nobody, and the long one makes
# ten thousand tokens a second. chaos-busy is a route: an overloaded deployment first, then a quick one.
MIXTURE = (
    Part("chaos-quick", 30, is_stream=False),
    Part("chaos-quick", 30),
    Part("chaos-slow", 12),
    Part("chaos-slow", 8, leaves=True),
    Part("chaos-late", 6, is_stream=False),
    Part("chaos-long", 4, max_tokens=16_000),
    Part("chaos-cut", 3),
    Part("chaos-reset", 2),
    Part("chaos-error", 2),
    Part("chaos-overloaded", 2),
    Part("chaos-busy", 4),
    Part("chaos-hidden", 1, max_tokens=HIDDEN_TOKENS, thinks=True),
    Part("chaos-hidden", 1, max_tokens=HIDDEN_TOKENS, excess_tokens=HIDDEN_TOKENS - FIRST_GRANT),
)
