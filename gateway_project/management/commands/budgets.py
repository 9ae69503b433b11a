"""`tallygate budgets set|change|list|show|reset|remove|plans`."""

import json
from dataclasses import replace
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from audit.rows import ChangeRefused
from audit.trail import COMMAND_LINE
from billing.actions import BudgetTerms, change_budget, clean_period, nano_of, remove_budget, reset_budget, same_kind, set_budget
from billing.models import Budget, BudgetPlan
from billing.plans import change_plan, make_plan, remove_plan, take_plan
from gateway_project.budget_lines import budget_rows, budget_table, plan_row, plan_table
from gateway_project.named_rows import budget_numbered, plan_named, scope_id_of, words_of
from gateway_project.tables import facts, show
from routing.models import Route

EMPTY = "No budgets yet. Set one with `budgets set --scope team --id NAME --amount 100 --period month`."
NO_PLANS = "No plans yet. Make one with `budgets plans set NAME --amount 20 --period month`."


class Command(BaseCommand):
    help = "Sets budgets and shows how they stand."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        setting = verbs.add_parser("set", help="set a budget, or change the one of that scope, model and period")
        setting.add_argument("--scope", required=True, choices=Budget.Scope.values, metavar="SCOPE", help=", ".join(Budget.Scope.values))
        setting.add_argument("--id", default="", help="id or name of whom it is for; team/user for a member; nothing for global")
        setting.add_argument("--plan", default="", help="take amount and period from this plan")
        listing = verbs.add_parser("list", help="list budgets with what is spent, held and left")
        listing.add_argument("--scope", default="", choices=["", *Budget.Scope.values], metavar="SCOPE")
        numbered = [verbs.add_parser("change", help="change a budget's terms"), verbs.add_parser("show", help="show one budget")]
        numbered.append(verbs.add_parser("reset", help="start a new period now; what was spent stays on record"))
        numbered.append(verbs.add_parser("remove", help="remove a budget; what was spent stays in the ledger"))
        for one in numbered:
            one.add_argument("number", type=int, help="the budget's number in the list")
        for one in (setting, numbered[0]):
            self._add_terms(one)
        plans = verbs.add_parser("plans", help="list, set and remove plans: terms that several scopes share").add_subparsers(
            dest="plan_verb", required=True, metavar="VERB"
        )
        for one in [setting, listing, *numbered, *self._add_plans(plans)]:
            one.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def _add_terms(self, parser: CommandParser) -> None:
        parser.add_argument("--amount", metavar="USD", help="such as 20 or 12.50")
        parser.add_argument("--period", help="when it starts anew: 30s, 15m, 1h, 7d, 30d, 1mo, day, week, month; '' for never")
        parser.add_argument("--mode", choices=Budget.Mode.values, help="hard refuses, strict admits only what fits whole, soft only alerts")
        parser.add_argument("--model", help="only calls for this model name; * at its end for a family")
        parser.add_argument("--time-zone", help="of day, week and month, such as Europe/Berlin")
        parser.add_argument("--thresholds", help="percentages for alerts, such as 50,80,100; '' for none")
        for option, value in (("--clamp-output", True), ("--no-clamp-output", False)):
            text = "near the end shorten answers instead of refusing" if value else "refuse instead of shortening answers"
            parser.add_argument(option, dest="clamp_output", action="store_const", const=value, help=text)

    def _add_plans(self, verbs: Any) -> list[CommandParser]:
        listing = verbs.add_parser("list", help="list plans")
        setting = verbs.add_parser("set", help="make a plan, or change it and everybody's budget that came of it")
        for option in ("--amount", "--soft-amount"):
            setting.add_argument(option, metavar="USD", help="'' for none")
        setting.add_argument("--period")
        for option, text in (("--rpm", "requests per minute"), ("--tpm", "tokens per minute"), ("--parallel", "calls at the same time")):
            setting.add_argument(option, type=int, help=text)
        removing = verbs.add_parser("remove", help="remove a plan; who has budgets of it keeps them")
        for one in (setting, removing):
            one.add_argument("name")
        return [listing, setting, removing]

    def handle(self, *args: Any, **options: Any) -> None:
        verb = f"plans_{options['plan_verb']}" if options["verb"] == "plans" else options["verb"]
        try:
            getattr(self, f"_{verb}")(options)
        except ChangeRefused as refusal:
            raise CommandError(str(refusal)) from refusal

    # ── budgets ───────────────────────────────────────────────────────────────
    def _set(self, options: dict[str, Any]) -> None:
        scope, scope_id = options["scope"], scope_id_of(options["scope"], options["id"])
        if options["plan"]:
            self._tell_all(take_plan(plan_named(options["plan"]), scope, scope_id, actor=COMMAND_LINE), options)
            return
        if options["amount"] is None:
            raise CommandError("--amount or --plan is needed.")
        asked = _terms(BudgetTerms(0), options)
        known = same_kind(scope, scope_id, asked)
        terms = _terms(BudgetTerms.of(known), options) if known else asked
        self._tell(set_budget(scope, scope_id, terms, actor=COMMAND_LINE), options)
        if terms.model and "*" not in terms.model and not Route.objects.filter(name=terms.model).exists():
            self.stderr.write(f"No route is named {terms.model!r} yet; `routes` are what callers name as the model.")

    def _change(self, options: dict[str, Any]) -> None:
        budget = budget_numbered(options["number"])
        self._tell(change_budget(budget, _terms(BudgetTerms.of(budget), options), actor=COMMAND_LINE), options)

    def _show(self, options: dict[str, Any]) -> None:
        self._tell(budget_numbered(options["number"]), options)

    def _reset(self, options: dict[str, Any]) -> None:
        self._tell(reset_budget(budget_numbered(options["number"]), actor=COMMAND_LINE), options)

    def _remove(self, options: dict[str, Any]) -> None:
        budget = budget_numbered(options["number"])
        [row] = budget_rows([budget], timezone.now())
        remove_budget(budget, actor=COMMAND_LINE)
        self.stdout.write(
            json.dumps(row, indent=2) if options["as_json"] else f"Budget {row['id']} of {row['scope']} {row['name']} is gone."
        )

    def _list(self, options: dict[str, Any]) -> None:
        budgets = Budget.objects.select_related("plan").order_by("scope", "scope_id", "pk")
        if options["scope"]:
            budgets = budgets.filter(scope=options["scope"])
        now, rows = timezone.now(), list(budgets)
        if options["as_json"]:
            self.stdout.write(json.dumps(budget_rows(rows, now), indent=2))
        elif rows:
            show(self.stdout, budget_table(rows, now), options)
        else:
            self.stdout.write(EMPTY)

    def _tell_all(self, budgets: list[Budget], options: dict[str, Any]) -> None:
        """A plan makes several, with a soft amount: of its JSON there is one document all the same."""
        rows = budget_rows(budgets, timezone.now())
        lines = "\n\n".join("\n".join(facts(row)) for row in rows)
        self.stdout.write(json.dumps(rows, indent=2) if options["as_json"] else lines)

    def _tell(self, budget: Budget, options: dict[str, Any]) -> None:
        [row] = budget_rows([budget], timezone.now())
        self.stdout.write(json.dumps(row, indent=2) if options["as_json"] else "\n".join(facts(row)))

    # ── plans ─────────────────────────────────────────────────────────────────
    def _plans_list(self, options: dict[str, Any]) -> None:
        plans = list(BudgetPlan.objects.all())
        if options["as_json"]:
            self.stdout.write(json.dumps([plan_row(plan) for plan in plans], indent=2))
        elif plans:
            show(self.stdout, plan_table(plans), options)
        else:
            self.stdout.write(NO_PLANS)

    def _plans_set(self, options: dict[str, Any]) -> None:
        amounts = {"amount_nano": options["amount"], "soft_amount_nano": options["soft_amount"]}
        changes: dict[str, Any] = {name: nano_of(text) if text else None for name, text in amounts.items() if text is not None}
        limits = {"rpm_limit": options["rpm"], "tpm_limit": options["tpm"], "parallel_limit": options["parallel"]}
        changes |= {name: limit for name, limit in limits.items() if limit is not None}
        if options["period"] is not None:
            changes["period"] = options["period"]
        known = BudgetPlan.objects.filter(pk=options["name"]).first()
        if known:
            plan = change_plan(known, changes, actor=COMMAND_LINE)
        else:
            plan = make_plan(BudgetPlan(id=options["name"], **changes), actor=COMMAND_LINE)
        self._tell_plan(plan, options)

    def _plans_remove(self, options: dict[str, Any]) -> None:
        plan = plan_named(options["name"])
        self._tell_plan(plan, options)
        remove_plan(plan, actor=COMMAND_LINE)

    def _tell_plan(self, plan: BudgetPlan, options: dict[str, Any]) -> None:
        row = plan_row(plan)
        self.stdout.write(json.dumps(row, indent=2) if options["as_json"] else "\n".join(facts(row)))


def _terms(known: BudgetTerms, options: dict[str, Any]) -> BudgetTerms:
    """`known` with what was named."""
    named = {name: options[name] for name in ("mode", "model", "time_zone", "clamp_output") if options[name] is not None}
    if options["amount"] is not None:
        named["amount_nano"] = nano_of(options["amount"])
    if options["period"] is not None:
        named["period"] = clean_period(options["period"])
    if options["thresholds"] is not None:
        words = [word.removesuffix("%") for word in words_of(options["thresholds"])]
        if not all(word.isdecimal() for word in words):
            raise CommandError("--thresholds are whole percentages, such as 50,80,100.")
        named["thresholds"] = tuple(int(word) for word in words)
    return replace(known, **named)
