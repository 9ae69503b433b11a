"""The believable texts of the demo provider: what kind of question is this, in which language, and what to say.

The same question always gets the same answer: templates are picked by a hash of the question.
"""

import hashlib
import re

from .demo_phrases import PHRASES, PRINTING

LONGEST_TOPIC = 60
LONGEST_RESULT = 160

KANA = re.compile(r"[\u3040-\u30ff]")
GERMAN_LETTER = re.compile(r"[äöüÄÖÜß]")
GERMAN_WORD = re.compile(
    r"der|die|das|und|ist|nicht|ich|wie|bitte|eine?|einen|mir|schreibe?|erkläre|warum|wer|wo|für|mit|auf|von|was|kann|du|den|dem", re.I
)
GERMAN_GREETING = re.compile(r"\s*(?:hallo|guten (?:tag|morgen|abend)|danke|moin|servus)\b", re.I)

# The first kind that matches wins; anything else is "about".
KINDS = (
    ("trouble", re.compile(r"Traceback|\b\w*(?:Error|Exception)\b|stack ?trace|エラー|\bFehler\b")),
    ("haiku", re.compile(r"\bhaiku\b|俳句|\bgedicht\b|\bpoem\b", re.I)),
    ("story", re.compile(r"\b(?:story|essay|geschichte|aufsatz)\b|物語", re.I)),
    ("summary", re.compile(r"\b(?:summari[sz]e|summary|tl;?dr|zusammenfass\w*|fasse?)\b|要約|まとめ", re.I)),
    ("translate", re.compile(r"\b(?:translate|translation|übersetz\w*)\b|翻訳|訳して", re.I)),
    (
        "program",
        re.compile(
            r"\b(?:write|create|schreib\w*)\b.{0,40}\b(?:function|script|class|program|funktion|skript|programm)\b|関数を|コードを書", re.I
        ),
    ),
    (
        "code",
        re.compile(
            r"```|^\s*(?:def|class|import|from|function|const|let|var|public|package|fn|SELECT)\s.*[({;:=.*]|=>|#include|</\w+>", re.M
        ),
    ),
    (
        "who",
        re.compile(r"\b(?:who|what) (?:are|r) (?:you|u)\b|\bwhich model\b|\bwer bist du\b|\bwelches modell\b|あなたは(?:誰|だれ|何)", re.I),
    ),
    ("ideas", re.compile(r"\b(?:ideas?|list|suggest|brainstorm|ideen|vorschl\w+|nenne)\b|アイデア|提案|挙げて", re.I)),
    ("compare", re.compile(r"\b(?:versus|vs\.?|compare|difference between|vergleich\w*|unterschied)\b|比較|違い", re.I)),
    ("howto", re.compile(r"\b(?:how (?:do|can|to|should)|wie (?:kann|mache|geht))\b|方法|どうやって", re.I)),
    ("thanks", re.compile(r"^\W*(?:thanks?|thank you|thx|danke|ありがとう)", re.I)),
    (
        "greet",
        re.compile(
            r"^\W*(?:hi|hello|hey|good (?:morning|evening|day)|hallo|moin|servus|guten (?:tag|morgen|abend))\b"
            r"|^(?:こんにちは|こんばんは|おはよう)",
            re.I,
        ),
    ),
)
ARITHMETIC = re.compile(r"(?<![\d.])(\d{1,6})\s*([+*x\u00d7-])\s*(\d{1,6})(?![\d.])")

LEADING = re.compile(
    r"^(?:(?:please|bitte|can you|could you|kannst du|tell me about|tell me|explain|describe|what (?:is|are)|summari[sz]e|translate|list"
    r"|write|compare|how (?:do|can|should) (?:i|we)|how to|give me|show me|was (?:ist|sind)|erkläre?(?: mir)?|erzähl\w*(?: mir)?"
    r"|schreibe?|nenne|wie kann ich|eine?n?|der|die|das)\b[\s,:]*)+",
    re.I,
)
TRAILING = re.compile(r"[\s,]+(?:please|bitte)\W*$", re.I)
TRAILING_JA = re.compile(r"(?:について|とは|を(?:教|説明|書|作|要約|翻訳)|の(?:要約|俳句|物語)).*$", re.S)


def language(text: str) -> str:
    if KANA.search(text):
        return "ja"
    words = re.findall(r"\w+", text)
    known = sum(1 for word in words if GERMAN_WORD.fullmatch(word))
    if GERMAN_GREETING.match(text) or known >= 3 or (known and GERMAN_LETTER.search(text)):
        return "de"
    return "de" if known >= 2 and known * 3 >= len(words) else "en"


def reply(question: str, *, tongue: str = "") -> str:
    tongue = tongue or language(question)
    sum_asked = ARITHMETIC.search(question)
    kind = next((name for name, pattern in KINDS if pattern.search(question)), "about")
    if sum_asked and kind in ("about", "howto") and len(question) < 80:
        return _pick(tongue, "sum", question).format(sum=f"{sum_asked[0]} = {_result(sum_asked)}")
    kind = kind if question.strip() else "greet"
    return _pick(tongue, kind, question).format(**_facts(question, tongue))


def thought(question: str) -> str:
    tongue = language(question)
    return _pick(tongue, "thought", question).format(**_facts(question, tongue))


def before_call(question: str, doing: str, subject: str) -> str:
    return _pick(language(question), f"before_{doing}", question).format(subject=subject)


def after_call(question: str, result: str, *, failed: bool) -> str:
    kind = "after_failure" if failed else "after_success"
    return _pick(language(question), kind, question).format(result=_first_line(result, LONGEST_RESULT))


def file_content(name: str, request: str) -> str:
    """Something to put into the file that the question asked for without saying what."""
    ending = name.rpartition(".")[2].lower()
    line = "Hello from the demo provider"
    return PRINTING[ending].format(line=line) if ending in PRINTING else reply(request) + "\n"


def topic_of(question: str, tongue: str) -> str:
    line = _first_line(question, 4 * LONGEST_TOPIC)
    short = TRAILING_JA.sub("", line) if tongue == "ja" else TRAILING.sub("", LEADING.sub("", line))
    short = short.strip(" \t.,;:!?\u3002\u3001\uff1f\uff01\"'`") or line
    return _shorten(short, LONGEST_TOPIC)


def _facts(question: str, tongue: str) -> dict[str, object]:
    lines = [line for line in question.splitlines() if line.strip()]
    named = re.search(r"\b(?:def|class|function|fn|func)\s+(\w{1,60})", question)
    return {
        "topic": topic_of(question, tongue),
        "words": len(re.findall(r"\w+", question)),
        "lines": len(lines),
        "first": _first_line(question, LONGEST_TOPIC),
        "last": _shorten(lines[-1].strip(), LONGEST_RESULT) if lines else "",
        "name": named[1] if named else "main",
    }


def _pick(tongue: str, kind: str, question: str) -> str:
    choices = PHRASES[tongue][kind]
    digest = hashlib.sha256(question.encode()).digest()
    return choices[int.from_bytes(digest[:8]) % len(choices)]


def _first_line(text: str, longest: int) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip(" \t`")), "")
    return _shorten(line, longest)


def _shorten(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _result(match: re.Match[str]) -> int:
    left, sign, right = int(match[1]), match[2], int(match[3])
    return {"+": left + right, "-": left - right}.get(sign, left * right)
