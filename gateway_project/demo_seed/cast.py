"""The cast: two organisations, their teams, people and keys, as plain data. Whoever reads docs/demo.md meets them there."""

from dataclasses import dataclass

MANAGER, MEMBER, VIEWER, FINANCE, ADMIN = "manager", "member", "viewer", "finance", "admin"
CODER, BOT, NIGHTLY, ANALYST, CHATTER = "coder", "bot", "nightly", "analyst", "chatter"
BERLIN, TOKYO = "Europe/Berlin", "Asia/Tokyo"


@dataclass(frozen=True, slots=True)
class House:
    """An organisation: where its people are awake, and the tags that its calls bear."""

    id: str
    name: str
    time_zone: str
    network: str


@dataclass(frozen=True, slots=True)
class Room:
    """A team. `member_budget`: each of its people has a budget of their own in it."""

    id: str
    name: str
    house: str
    cost_centre: str
    tags: tuple[str, ...] = ()
    member_budget: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """`places` are (team, role in it); `role` is what they may do everywhere. `name` is given in two parts, in the order it is spoken."""

    id: str
    name: tuple[str, str]
    email: str
    role: str = MEMBER
    places: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class DemoKey:
    """A key, how it is used (`habit`), and what became of it. Days count from now; `calls_until` is when its calls end."""

    name: str
    room: str
    habit: str
    client: str
    models: tuple[str, ...]
    person: str = ""
    expires_in_days: int | None = None
    is_blocked: bool = False
    revoked_days_ago: int | None = None
    calls_until: int = 0
    allowed: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    vigour: float = 1.0
    rpm_limit: int | None = None


NORDWIND, AOBA = "demo-nordwind", "demo-aoba"
HOUSES = (
    House(NORDWIND, "Nordwind Logistik GmbH", BERLIN, "10.20"),
    House(AOBA, "青葉システムズ株式会社", TOKYO, "10.81"),
)
ROOMS = (
    Room("demo-platform", "Platform", NORDWIND, "4100 Engineering", ("engineering",), member_budget=True),
    Room("demo-pricing", "Search & Pricing", NORDWIND, "4100 Engineering", ("engineering",)),
    Room("demo-care", "Customer Care", NORDWIND, "5300 Operations", ("customer-facing",)),
    Room("demo-data", "Data Science", NORDWIND, "4200 Analytics"),
    Room("demo-kaihatsu", "開発部", AOBA, "A10 開発", ("社内開発",)),
    Room("demo-support", "サポート部", AOBA, "A20 顧客対応", ("顧客対応",)),
    Room("demo-kikaku", "企画部", AOBA, "A30 企画"),
)
PEOPLE = (
    Person("demo-marta", ("Marta", "Keller"), "marta@nordwind.example", ADMIN, (("demo-platform", MEMBER),)),
    Person("demo-ingrid", ("Ingrid", "Halvorsen"), "ingrid@nordwind.example", FINANCE),
    Person("demo-tomas", ("Tomás", "Viana"), "tomas@nordwind.example", VIEWER, (("demo-data", MEMBER),)),
    Person("demo-jonas", ("Jonas", "Brandt"), "jonas@nordwind.example", MEMBER, (("demo-platform", MANAGER), ("demo-pricing", MANAGER))),
    Person("demo-priya", ("Priya", "Raman"), "priya@nordwind.example", MEMBER, (("demo-platform", MEMBER),)),
    Person("demo-oskar", ("Oskar", "Lindqvist"), "oskar@nordwind.example", MEMBER, (("demo-platform", MEMBER),)),
    Person("demo-leila", ("Leila", "Haddad"), "leila@nordwind.example", MEMBER, (("demo-pricing", MEMBER),)),
    Person("demo-felix", ("Felix", "Vogt"), "felix@nordwind.example", MEMBER, (("demo-pricing", MEMBER),)),
    Person("demo-ruth", ("Ruth", "Adeyemi"), "ruth@nordwind.example", MEMBER, (("demo-care", MANAGER), ("demo-data", MANAGER))),
    Person("demo-chiara", ("Chiara", "Moretti"), "chiara@nordwind.example", MEMBER, (("demo-data", MEMBER),)),
    Person("demo-sato", ("佐藤", "健"), "sato@aoba.example", MEMBER, (("demo-kaihatsu", MANAGER), ("demo-support", MANAGER))),
    Person("demo-suzuki", ("鈴木", "美咲"), "suzuki@aoba.example", MEMBER, (("demo-kaihatsu", MEMBER),)),
    Person("demo-takahashi", ("高橋", "大輔"), "takahashi@aoba.example", MEMBER, (("demo-kaihatsu", MEMBER),)),
    Person("demo-tanaka", ("田中", "さくら"), "tanaka@aoba.example", MEMBER, (("demo-kikaku", MANAGER),)),
)

OPUS, SONNET, HAIKU, SONNET_JP, GEMINI = (
    "claude-opus-4-5",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
    "claude-sonnet-4-5-jp",
    "gemini-2.5-pro",
)
_CODING, _CODING_JP = (SONNET, SONNET, SONNET, OPUS), (SONNET_JP, SONNET_JP, OPUS)
KEYS = (
    DemoKey("priya-claude-code", "demo-platform", CODER, "claude-cli/2.1.329", _CODING, "demo-priya", vigour=1.3),
    DemoKey("oskar-claude-code", "demo-platform", CODER, "claude-cli/2.1.312", _CODING, "demo-oskar", vigour=0.8),
    DemoKey("marta-claude-code", "demo-platform", CODER, "claude-cli/2.1.329", (SONNET,), "demo-marta", vigour=0.3),
    DemoKey("jonas-cline", "demo-platform", CODER, "Cline/3.38.1", (SONNET,), "demo-jonas", vigour=0.5),
    DemoKey("leila-claude-code", "demo-pricing", CODER, "claude-cli/2.1.329", (OPUS, SONNET), "demo-leila"),
    DemoKey("felix-claude-code", "demo-pricing", CODER, "claude-cli/2.1.305", _CODING, "demo-felix", expires_in_days=3, vigour=0.7),
    DemoKey(
        "ci-code-review", "demo-platform", BOT, "Anthropic/Python", (SONNET, HAIKU), allowed=(SONNET, HAIKU), tags=("ci",), rpm_limit=120
    ),
    DemoKey("price-scraper", "demo-pricing", NIGHTLY, "OpenAI/Python", (HAIKU,), tags=("nightly",), allowed=(HAIKU,), vigour=0.8),
    DemoKey("care-chatbot", "demo-care", CHATTER, "Anthropic/JS", (HAIKU,), allowed=(HAIKU,), tags=("chatbot",), rpm_limit=300),
    DemoKey("claims-triage", "demo-care", BOT, "Boto3/1.41.2", (SONNET,), tags=("claims",), vigour=0.6),
    DemoKey("chiara-notebooks", "demo-data", ANALYST, "OpenAI/Python", (GEMINI, OPUS), "demo-chiara"),
    DemoKey("forecast-batch", "demo-data", NIGHTLY, "Anthropic/Python", (GEMINI,), tags=("forecast", "nightly"), vigour=0.5),
    DemoKey("tomas-claude-code", "demo-data", CODER, "claude-cli/2.1.329", (SONNET,), "demo-tomas", vigour=0.25),
    DemoKey("hackathon-2026", "demo-data", ANALYST, "curl/8.14.1", (SONNET,), expires_in_days=-20, calls_until=20, vigour=0.6),
    DemoKey("佐藤-claude-code", "demo-kaihatsu", CODER, "claude-cli/2.1.329", _CODING_JP, "demo-sato", vigour=0.5),
    DemoKey("鈴木-claude-code", "demo-kaihatsu", CODER, "claude-cli/2.1.329", _CODING_JP, "demo-suzuki", vigour=1.2),
    DemoKey("高橋-claude-code", "demo-kaihatsu", CODER, "claude-cli/2.1.298", _CODING_JP, "demo-takahashi", vigour=0.9),
    DemoKey("問い合わせ分類", "demo-support", BOT, "Anthropic/Python", (HAIKU,), tags=("問い合わせ",), allowed=(HAIKU,)),
    DemoKey("議事録要約", "demo-kikaku", ANALYST, "OpenAI/JS", (SONNET_JP, HAIKU), "demo-tanaka", tags=("議事録",)),
    DemoKey("old-chatbot", "demo-care", CHATTER, "Anthropic/JS", (HAIKU,), is_blocked=True, calls_until=26, vigour=0.5),
    DemoKey("contractor-laptop", "demo-platform", CODER, "claude-cli/2.1.288", (SONNET,), revoked_days_ago=33, calls_until=33, vigour=0.6),
)
TAGS = {
    "ci": "Code review on every pull request.",
    "nightly": "Jobs of the night.",
    "chatbot": "Answers to customers on the web page.",
    "claims": "Damage reports, sorted by urgency.",
    "forecast": "Volumes of the coming week.",
    "問い合わせ": "お客様からの問い合わせの自動分類",
    "議事録": "会議の文字起こしの要約",
}
END_USERS = ("customer-1042", "customer-2210", "customer-3377", "customer-4185", "customer-5921")

ROOM = {room.id: room for room in ROOMS}
HOUSE = {house.id: house for house in HOUSES}
PERSON = {person.id: person for person in PEOPLE}


def house_of(key: DemoKey) -> House:
    return HOUSE[ROOM[key.room].house]


def full_name(person: Person) -> str:
    return " ".join(person.name)
