"""`tallygate keys create|list|show|revoke|rotate|block|unblock`."""

import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from audit.rows import ChangeRefused
from audit.trail import COMMAND_LINE
from billing.actions import BudgetTerms, nano_of
from billing.models import Budget
from billing.money import money
from billing.standing import sentence
from billing.status import standings
from console.connecting import blocks, example_model
from console.use_cases import budgets_of, issue_key_with_budget, spent_in_ledger
from gateway_project.named_rows import key_named, team_named, user_named, words_of
from gateway_project.tables import Table, facts, show, state
from keys.actions import KeySpec, block_key, revoke_key, rotate_key, unblock_key
from keys.durations import WrongDuration, after
from keys.models import VirtualKey
from keys.required_headers import WrongHeader, columns

EMPTY = "No keys yet. Make one with `keys create --name …`."
SIMPLE_VERBS = {"revoke": revoke_key, "block": block_key, "unblock": unblock_key}


class Command(BaseCommand):
    help = "Creates, lists, shows, rotates, blocks and revokes virtual keys."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        create = verbs.add_parser("create", help="issue a key; its secret is printed once")
        create.add_argument("--name", required=True, help="what people will recognise it by")
        create.add_argument("--team", default="", help="team id or name")
        create.add_argument("--user", default="", help="user id, name or e-mail")
        create.add_argument("--models", default="", help="model names with commas between them; none means all")
        create.add_argument("--max-budget", default="", metavar="USD", help="such as 20 or 12.50")
        create.add_argument("--period", default="", help="when the budget starts anew: 7d, 30d, 1mo, day, week, month; without it never")
        create.add_argument("--mode", choices=Budget.Mode.values, default=Budget.Mode.HARD, help="what the budget does when it is spent")
        create.add_argument("--expires", default="", metavar="DURATION", help="such as 12h, 7d or 1mo; without it never")
        create.add_argument("--rpm", type=int, help="requests per minute")
        create.add_argument("--tpm", type=int, help="tokens per minute")
        create.add_argument("--parallel", type=int, help="calls at the same time")
        create.add_argument(
            "--required-header",
            default="",
            metavar="NAME=VALUE",
            help="secret header of runners without a fixed address; env:NAME or file:PATH for the value keep it out of the shell's history",
        )
        create.add_argument("--cost-centre", default="")
        create.add_argument("--tags", default="", help="with commas between them")
        listing = verbs.add_parser("list", help="list keys")
        listing.add_argument("--team", default="", help="team id or name")
        shown = [verbs.add_parser("show", help="show one key")]
        shown += [verbs.add_parser(verb, help=f"{verb} a key") for verb in SIMPLE_VERBS]
        rotate = verbs.add_parser("rotate", help="give a key a new secret, printed once")
        rotate.add_argument("--overlap", default="", metavar="DURATION", help="how long the old secret still works, such as 24h")
        for one in [*shown, rotate]:
            one.add_argument("key", help="name, id, hash or secret of the key")
        for one in [create, listing, *shown, rotate]:
            one.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        verb = options["verb"]
        try:
            if verb in SIMPLE_VERBS:
                self._tell(SIMPLE_VERBS[verb](key_named(options["key"]), actor=COMMAND_LINE), options)
            else:
                getattr(self, f"_{verb}")(options)
        except (ChangeRefused, WrongDuration) as refusal:
            raise CommandError(str(refusal)) from refusal

    def _create(self, options: dict[str, Any]) -> None:
        now = timezone.now()
        spec = KeySpec(
            name=options["name"].strip(),
            team=team_named(options["team"]) if options["team"] else None,
            user=user_named(options["user"]) if options["user"] else None,
            allowed_models=words_of(options["models"]),
            expires_at=after(options["expires"], now) if options["expires"] else None,
            rpm_limit=options["rpm"],
            tpm_limit=options["tpm"],
            parallel_limit=options["parallel"],
            cost_centre=options["cost_centre"],
            tags=words_of(options["tags"]),
            **_header(options["required_header"]),
        )
        key, token = issue_key_with_budget(spec, _terms(options), actor=COMMAND_LINE)
        self._hand_over(key, token, options)

    def _rotate(self, options: dict[str, Any]) -> None:
        key, now = key_named(options["key"]), timezone.now()
        overlap = after(options["overlap"], now) - now if options["overlap"] else timedelta(0)
        token = rotate_key(key, actor=COMMAND_LINE, overlap=overlap)
        key.refresh_from_db()
        self._hand_over(key, token, options)

    def _hand_over(self, key: VirtualKey, token: str, options: dict[str, Any]) -> None:
        if options["as_json"]:
            self.stdout.write(json.dumps({"key": token, **_described(key, timezone.now())}, indent=2))
            return
        self.stdout.write(f"Secret of key {key}, shown only now:\n\n{token}")
        for block in blocks(settings.TALLYGATE_PUBLIC_URL, token, example_model(key.allowed_models)):
            self.stdout.write(f"\n{block.title}:\n{block.text}")

    def _list(self, options: dict[str, Any]) -> None:
        keys = VirtualKey.objects.select_related("team", "user")
        if options["team"]:
            keys = keys.filter(team=team_named(options["team"]))
        rows = [_described(key, timezone.now()) for key in keys]
        if options["as_json"]:
            self.stdout.write(json.dumps(rows, indent=2))
        elif rows:
            show(self.stdout, _table(rows), options)
        else:
            self.stdout.write(EMPTY)

    def _show(self, options: dict[str, Any]) -> None:
        self._tell(key_named(options["key"]), options)

    def _tell(self, key: VirtualKey, options: dict[str, Any]) -> None:
        row = _described(key, timezone.now())
        self.stdout.write(json.dumps(row, indent=2) if options["as_json"] else "\n".join(facts(row)))


def _table(rows: list[dict[str, Any]]) -> Table:
    lines = [
        (row["name"], row["hint"], state(row["state"]), row["team"] or "", row["user"] or "", row["spent"], row["id"][:12]) for row in rows
    ]
    return Table(("name", "hint", "state", "team", "user", "spent", "id"), lines, {"spent"})


def _header(given: str) -> dict[str, Any]:
    """The columns of `NAME=VALUE`, whose value may be said to lie elsewhere."""
    name, _, value = given.partition("=")
    try:
        if value.startswith("env:"):
            value = os.environ.get(value.removeprefix("env:"), "")
        elif value.startswith("file:"):
            value = Path(value.removeprefix("file:")).expanduser().read_text()
        return columns(name, value)
    except OSError as error:
        raise CommandError(f"The file of --required-header cannot be read: {error.strerror}.") from error
    except (WrongHeader, UnicodeDecodeError) as error:
        raise CommandError(f"--required-header: {error if isinstance(error, WrongHeader) else 'the file holds no text.'}") from error


def _terms(options: dict[str, Any]) -> list[BudgetTerms]:
    if not options["max_budget"]:
        if options["period"]:
            raise CommandError("--period needs --max-budget.")
        return []
    return [BudgetTerms(nano_of(options["max_budget"]), options["period"], options["mode"])]


def _described(key: VirtualKey, now: datetime) -> dict[str, Any]:
    own = list(budgets_of(Budget.Scope.KEY, key.pk))
    standing = standings(own, now)
    return {
        "name": str(key),
        "id": key.pk,
        "hint": key.hint,
        "state": key.state(now),
        "team": key.team.name if key.team else None,
        "user": str(key.user) if key.user else None,
        "models": key.allowed_models,
        "budgets": [f"{money(budget.amount_nano)} {budget.period or 'once and for all'}" for budget in own],
        "standing": [sentence(standing[budget.pk], str(key)) for budget in own],
        "spent": money(spent_in_ledger("key_id", [key.pk]).get(key.pk, 0)),
        "rpm_limit": key.rpm_limit,
        "tpm_limit": key.tpm_limit,
        "parallel_limit": key.parallel_limit,
        "model_limits": key.model_limits,
        "allowed_ips": key.allowed_ips,
        "required_header": key.required_header or None,
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "cost_centre": key.cost_centre,
        "tags": key.tags,
        "created_at": key.created_at.isoformat(),
    }
