"""`tallygate prices list|set|diff|update|reprice`."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from audit.rows import ChangeRefused
from audit.trail import COMMAND_LINE
from billing.actions import set_price
from billing.catalogue import GENAI_PROVIDERS, PriceList, shipped
from billing.loading import load_prices
from billing.models import Price as PriceRow
from billing.money import BadAmount, money, pico_per_token, usd
from billing.price_changes import TAKEN_OVER, Change, Name, differences, read_list, take_over
from billing.price_texts import KINDS, as_json, described, dollars, sentence, title
from billing.repricing import Outcome, how_many, reprice
from billing.snapshot import VARIANTS, Price, PriceBook
from gateway_project.management.commands.money import moment
from gateway_project.progress import progress
from gateway_project.tables import Table, show
from routing.models import Deployment

COLUMNS = ("provider", "model", "variant", "above", *KINDS, "source")


class Command(BaseCommand):
    help = "Shows what models cost and where that comes from, sets prices, takes over newer price lists and reprices past calls."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        listing = verbs.add_parser("list", help="what applies now, in USD per million tokens, and where it comes from")
        listing.add_argument("model", nargs="?", default="", help="part of a name; without it the models of deployments and own prices")
        one = verbs.add_parser("set", help="set a price of your own for a model at a provider")
        one.add_argument("provider")
        one.add_argument("model", help="the provider's model id; * at its end for a family")
        for kind in KINDS:
            told = "USD per million tokens" + ("" if kind in KINDS[:2] else "; without it as much as input, or Anthropic's surcharge on it")
            one.add_argument(f"--{kind.replace('_', '-')}", required=kind in KINDS[:2], metavar="USD", help=told)
        one.add_argument("--variant", default="", help=f"{', '.join(VARIANTS)}; without it the standard price")
        one.add_argument("--from", dest="start", type=moment, metavar="DATE", help="in force from then on; without it from now")
        one.add_argument("--note", default="", help="where the price comes from")
        diff = verbs.add_parser("diff", help="what a newer price list says otherwise")
        update = verbs.add_parser("update", help="take that over as prices of your own, from now on; what you set by hand stays")
        for each in (diff, update):
            each.add_argument("--file", type=Path, help="genai-prices' data.json; without it the list of the installed package")
        diff.add_argument("--all", action="store_true", dest="is_all", help="every model of the list, not only those in use")
        again = verbs.add_parser("reprice", help="what past calls cost by the prices of their time as known today; posts the differences")
        again.add_argument(
            "--from", dest="start", type=moment, required=True, metavar="DATE", help="2026-11-21 or 2026-11-21T15:30, in UTC"
        )
        again.add_argument("--to", dest="end", type=moment, metavar="DATE", help="up to but without this moment; without it until now")
        for each in (update, again):
            each.add_argument("--dry-run", action="store_true", dest="is_dry", help="show it and change nothing")
        for each in (listing, one, diff, update, again):
            each.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['verb']}")(options)
        except (ChangeRefused, BadAmount) as refusal:
            raise CommandError(str(refusal)) from refusal

    def _list(self, options: dict[str, Any]) -> None:
        book, at = load_prices(), timezone.now().timestamp()
        rows = [row for name in _names(options["model"]) for row in _in_force(book, name, at)]
        if options["as_json"]:
            self.stdout.write(json.dumps(rows, indent=2))
        elif not rows:
            self.stdout.write("No model is in use yet. `prices list WORD` looks through the price list.")
        else:
            show(self.stdout, Table(COLUMNS, [tuple(str(row[name]) for name in COLUMNS) for row in rows], ("above", *KINDS)), options)

    def _set(self, options: dict[str, Any]) -> None:
        rates = {f"{kind}_pico": None if options[kind] is None else pico_per_token(options[kind]) for kind in KINDS}
        values = {name: options[name].strip() for name in ("provider", "model", "variant", "note")}
        row = set_price(PriceRow(starts_at=options["start"] or timezone.now(), **values, **rates), actor=COMMAND_LINE)
        self._saved([row], options)

    def _diff(self, options: dict[str, Any]) -> None:
        changes = _changes(options, every=options["is_all"])
        if options["as_json"]:
            self.stdout.write(json.dumps([as_json(change) for change in changes], indent=2))
        else:
            self.stdout.write("\n".join(map(sentence, changes)) or "The price list says nothing else.")

    def _update(self, options: dict[str, Any]) -> None:
        changes = _changes(options)
        if options["is_dry"]:
            self._diff(options | {"is_all": False})
            return
        source = f"{TAKEN_OVER} {options['file'].name if options['file'] else shipped.edition}"
        rows = take_over(changes, source, timezone.now(), actor=COMMAND_LINE)
        self._saved(rows, options)
        if not options["as_json"]:
            for change in changes:
                if change.kept:
                    self.stdout.write(sentence(change))

    def _saved(self, rows: list[PriceRow], options: dict[str, Any]) -> None:
        told = [{"id": row.pk, "provider": row.provider, "model": row.model, "variant": row.variant} for row in rows]
        if options["as_json"]:
            self.stdout.write(json.dumps(told, indent=2))
            return
        for row in rows:
            rate = f"{dollars(row.input_pico)} in, {dollars(row.output_pico)} out per million tokens"
            self.stdout.write(f"{title(row.provider, row.model, row.variant)}: {rate}, from {row.starts_at:%Y-%m-%d %H:%M} UTC on.")
        if not rows:
            self.stdout.write("Nothing to take over.")

    def _reprice(self, options: dict[str, Any]) -> None:
        start, end = options["start"], options["end"] or timezone.now()
        if start >= end:
            raise CommandError("--from must lie before --to.", returncode=2)
        with progress("Repricing calls", how_many(start, end)) as step:
            outcome = reprice(load_prices(), start, end, is_dry=options["is_dry"], tell=step)
        if options["as_json"]:
            self.stdout.write(json.dumps(_outcome(outcome, is_dry=options["is_dry"]), indent=2))
            return
        for (provider, model), one in sorted(outcome.by_model.items()):
            change = money(one.now_nano - one.was_nano)
            self.stdout.write(f"{provider} {model}: {_calls(one.calls)}, {money(one.was_nano)} → {money(one.now_nano)} ({change})")
        changed = sum(one.calls for one in outcome.by_model.values())
        done = "would cost" if options["is_dry"] else "now cost"
        self.stdout.write(f"{changed} of {_calls(outcome.calls)} {done} something else.")
        if outcome.unpriced:
            self.stdout.write(f"{_calls(outcome.unpriced)} left alone: no price today either.")
        if outcome.unclear:
            self.stdout.write(f"{_calls(outcome.unclear)} left alone: no record, several attempts, or corrected by other means.")


def _names(word: str) -> list[Name]:
    """The models in use, or those of deployments, own prices and the list whose name has the word in it."""
    own = set(PriceRow.objects.order_by().values_list("provider", "model").distinct())
    names = own | set(Deployment.objects.order_by().values_list("provider", "model").distinct())
    if word:
        names |= {
            (provider, model) for provider in GENAI_PROVIDERS for model in shipped.models(provider) if shipped.find(provider, model, "")
        }
    return sorted(name for name in names if word.lower() in name[1].lower())


def _changes(options: dict[str, Any], *, every: bool = False) -> list[Change]:
    other: PriceList = read_list(options["file"]) if options["file"] else shipped
    names = [(provider, model) for provider in GENAI_PROVIDERS for model in other.models(provider)] if every else _names("")
    return differences(load_prices(), other, names, timezone.now())


def _in_force(book: PriceBook, name: Name, at: float) -> list[dict[str, Any]]:
    """A row per band of each variant that has a price of its own."""
    standard = book.find(*name, at)
    special = {variant: price for variant in VARIANTS if (price := book.find(*name, at, variant)) and not _alike(price, standard)}
    found = {"": standard} | special
    rows = [described(name, variant, band, _source(price)) for variant, price in found.items() if price for band in price.bands]
    return rows or [described(name, "", None, "no price")]


def _alike(price: Price, standard: Price | None) -> bool:
    return standard is not None and price.bands == standard.bands


def _source(price: Price) -> str:
    """Where a price comes from."""
    row = PriceRow.objects.filter(pk=price.version.removeprefix("own:")).first() if price.version.startswith("own:") else None
    return f"own price since {row.starts_at:%Y-%m-%d}{f', {row.note}' if row.note else ''}" if row else price.version.split("@")[0]


def _outcome(outcome: Outcome, *, is_dry: bool) -> dict[str, Any]:
    models = [
        {"provider": provider, "model": model, "calls": one.calls, "was_usd": str(usd(one.was_nano)), "now_usd": str(usd(one.now_nano))}
        for (provider, model), one in sorted(outcome.by_model.items())
    ]
    return {"dry_run": is_dry, "calls": outcome.calls, "unclear": outcome.unclear, "unpriced": outcome.unpriced, "models": models}


def _calls(number: int) -> str:
    return f"{number:,} call{'' if number == 1 else 's'}"
