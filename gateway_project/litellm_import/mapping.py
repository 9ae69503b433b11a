"""LiteLLM's rows → the rows we want. Pure: what is here already comes in as names, the clock is passed in."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from gateway_project.litellm_import.key_mapping import DASHBOARD, key_of, shown
from gateway_project.litellm_import.reading import Row, Source
from gateway_project.litellm_import.values import (
    WITH_SECRETS,
    Refusal,
    amount_of,
    cost_centre_of,
    limits_of,
    mapping_of,
    model_limits_of,
    moment_of,
    names_of,
    period_of,
    plain_metadata,
    terms_of,
    text_of,
)
from gateway_project.litellm_import.wanted import (
    END_USER,
    KEY,
    MEMBER,
    ORGANISATION,
    ORGANISATION_MEMBER,
    PERSON,
    PLAN,
    TAG,
    TEAM,
    Mapped,
    Taken,
    Told,
    Wanted,
)

LONGEST_ID, LONGEST_NAME = 64, 200
# Whom LiteLLM takes its master key for; here that key is nobody's.
MASTER = "default_user_id"
ROLES = {"proxy_admin": "admin", "proxy_admin_viewer": "finance", "internal_user": "member", "internal_user_viewer": "viewer", "": "member",
         "org_admin": "member", "team": "member", "customer": "member"}  # fmt: skip
ORGANISATION_ROLES = {"org_admin": "manager", "internal_user": "member", "internal_user_viewer": "viewer", "": "member"}


def mapped(source: Source, taken: Taken, now: datetime) -> Mapped:
    return _Mapping(source, taken, now).done()


class _Mapping:
    """One going over all tables; whom others name comes before them."""

    def __init__(self, source: Source, taken: Taken, now: datetime) -> None:
        self._source, self._taken, self._now = source, taken, now
        self._found = Mapped()
        self._plans = {text_of(row, "budget_id"): row for row in source.of("plans")}
        self._aliases = {row.get("id"): mapping_of(row, "aliases") for row in source.of("aliases")}
        self._teams = {text_of(row, "team_id"): text_of(row, "organization_id") for row in source.of("teams")}
        self._organisations = {text_of(row, "organization_id") for row in source.of("organisations")}
        self._people: dict[str, Row] = {}
        self._by_email: dict[str, str] = {}

    def done(self) -> Mapped:
        self._people = self._all_people()
        of = self._source.of
        self._each(PLAN, of("plans"), "budget_id", self._plan)
        self._each(ORGANISATION, of("organisations"), "organization_id", self._organisation)
        self._each(PERSON, list(self._people.values()), "user_id", self._person)
        self._each(TEAM, of("teams"), "team_id", self._team)
        self._each(MEMBER, self._all_members(), "team_id", self._member)
        self._each(ORGANISATION_MEMBER, of("organisation_members"), "organization_id", self._organisation_member)
        self._each(KEY, [row for row in of("keys") if text_of(row, "team_id") != DASHBOARD], "token", self._key)
        self._each(END_USER, of("end_users"), "user_id", self._end_user)
        self._each(TAG, of("tags"), "tag_name", self._tag)
        return self._found

    def _each(self, kind: str, rows: Iterable[Row], key: str, make: Callable[[Row], Wanted]) -> None:
        into = self._found.rows.setdefault(kind, [])
        for row in rows:
            try:
                into.append(make(row))
            except Refusal as reason:
                name = shown(row) if kind == KEY else text_of(row, key)
                self._found.refused.append(Told(kind, name, str(reason)))
                self._found.absent.add((kind, text_of(row, key)))

    def _note(self, kind: str, name: str, *reasons: str) -> None:
        self._found.notes += [Told(kind, name, reason) for reason in reasons if reason]

    def _id(self, row: Row, name: str, longest: int = LONGEST_ID) -> str:
        found = text_of(row, name)
        if not found or len(found) > longest:
            raise Refusal(f"its {name} has {len(found)} characters; 1 to {longest} are needed")
        return found

    def _money(self, kind: str, name: str, row: Row) -> dict[str, Any]:
        """`terms`, and the plan that a budget of them comes from as one more thing that is needed."""
        plan = self._plans.get(text_of(row, "budget_id"), {})
        terms, told = terms_of(row, plan, self._now)
        self._note(kind, name, *told)
        needs = tuple((PLAN, one.plan) for one in terms if one.plan)
        return {"terms": tuple(terms), "needs": needs}

    def _metadata(self, kind: str, name: str, row: Row) -> dict[str, Any]:
        metadata = mapping_of(row, "metadata")
        dropped = [one for one in WITH_SECRETS if metadata.get(one)]
        self._note(kind, name, f"its metadata.{dropped[0]} is left out: it may hold secrets" if dropped else "")
        return metadata

    # ── plans and organisations ───────────────────────────────────────────────
    def _plan(self, row: Row) -> Wanted:
        plan_id = self._id(row, "budget_id")
        period, note = period_of(text_of(row, "budget_duration"))
        self._note(PLAN, plan_id, note)
        amounts = {
            f"{ours}_nano": amount_of(row.get(theirs), theirs)
            for ours, theirs in (("amount", "max_budget"), ("soft_amount", "soft_budget"))
        }
        by_model = mapping_of(row, "model_max_budget")
        values = {**amounts, "period": period, **limits_of(row), "extra": {"model_max_budget": by_model} if by_model else {}}
        return Wanted(PLAN, plan_id, plan_id, values, self._made(row))

    def _made(self, row: Row) -> dict[str, Any]:
        made = moment_of(row, "created_at")
        return {"created_at": made} if made else {}

    def _organisation(self, row: Row) -> Wanted:
        own_id = self._id(row, "organization_id")
        wished = text_of(row, "organization_alias") or own_id
        name = self._taken.organisations.claim(wished, own_id)
        self._note(ORGANISATION, own_id, f"named {name!r}, for {wished!r} is another's" if name != wished[:LONGEST_NAME] else "")
        values = {
            "name": name,
            "allowed_models": names_of(row, "models"),
            "metadata": plain_metadata(self._metadata(ORGANISATION, name, row)),
        }
        return Wanted(ORGANISATION, own_id, name, values, self._made(row), **self._money(ORGANISATION, name, row))

    def _organisation_member(self, row: Row) -> Wanted:
        organisation_id, user_id = text_of(row, "organization_id"), text_of(row, "user_id")
        role = ORGANISATION_ROLES.get(text_of(row, "user_role"), "viewer")
        name = f"{user_id} in {organisation_id}"
        if text_of(row, "budget_id"):
            self._note(ORGANISATION_MEMBER, name, "its budget within the organisation is left out: there are none of that kind here")
        values = {"organisation_id": organisation_id, "user_id": user_id, "role": role}
        needs = ((ORGANISATION, organisation_id), (PERSON, self._known_person(user_id)))
        return Wanted(ORGANISATION_MEMBER, f"{organisation_id}/{user_id}", name, values, needs=needs)

    # ── people ────────────────────────────────────────────────────────────────
    def _all_people(self) -> dict[str, Row]:
        """LiteLLM's, and those whom teams and keys name although they have no row."""
        of = self._source.of
        found: dict[str, Row] = {text_of(row, "user_id"): row for row in of("people")}
        self._by_email = {text_of(row, "user_email").lower(): name for name, row in found.items() if text_of(row, "user_email")}
        named = [(text_of(row, "user_id"), "") for kind in ("keys", "members", "organisation_members") for row in of(kind)]
        for row in of("teams"):
            named += [(user_id, email) for user_id, email, _ in _places(row)]
        for user_id, email in named:
            own_id = user_id or self._by_email.get(email.lower(), email)
            if own_id and own_id not in found:
                found[own_id] = {"user_id": own_id, "user_email": email}
                self._by_email.setdefault(email.lower(), own_id)
        found.pop(MASTER, None)
        return found

    def _known_person(self, user_id: str) -> str:
        if user_id not in self._people:
            raise Refusal(
                f"its user_id {user_id!r} is LiteLLM's own name for the master key" if user_id == MASTER else "it names no person"
            )
        return user_id

    def _person(self, row: Row) -> Wanted:
        own_id = self._id(row, "user_id")
        role = text_of(row, "user_role")
        self._note(PERSON, own_id, f"the role {role!r} means nothing here: made a viewer" if role not in ROLES else "")
        self._note(PERSON, own_id, "the list of models is left out: here keys, teams and organisations have one" if _lists(row) else "")
        email = text_of(row, "user_email")[:254]
        if email and self._taken.emails.owners.setdefault(email.lower(), own_id) != own_id:
            self._note(PERSON, own_id, f"made without the address {email}: another person has it")
            email = ""
        values = {
            "email": email,
            "first_name": text_of(row, "user_alias")[:150],
            "role": ROLES.get(role, "viewer"),
            **limits_of(row),
            "metadata": plain_metadata(self._metadata(PERSON, own_id, row)),
        }
        once = {"username": self._taken.usernames.claim(email or own_id, own_id, 150), "last_name": ""}
        return Wanted(PERSON, own_id, email or own_id, values, once, **self._money(PERSON, own_id, row))

    # ── teams ─────────────────────────────────────────────────────────────────
    def _team(self, row: Row) -> Wanted:
        own_id, organisation_id = self._id(row, "team_id"), text_of(row, "organization_id")
        name = (text_of(row, "team_alias") or own_id)[:LONGEST_NAME]
        metadata = self._metadata(TEAM, name, row)
        aliases = self._aliases.get(row.get("model_id")) or {}
        self._note(TEAM, name, "its model aliases are kept in metadata and not acted on: make routes of them" if aliases else "")
        values = {
            "name": name,
            "organisation_id": self._organisation_known(organisation_id),
            "allowed_models": names_of(row, "models"),
            "cost_centre": cost_centre_of(metadata),
            "tags": names_of(metadata, "tags"),
            **limits_of(row),
            "model_limits": model_limits_of(metadata),
            "metadata": plain_metadata(metadata) | ({"model_aliases": aliases} if aliases else {}),
            "is_blocked": row.get("blocked") is True,
        }
        money = self._money(TEAM, name, row)
        money["needs"] += ((ORGANISATION, organisation_id),) if organisation_id else ()
        return Wanted(TEAM, own_id, name, values, self._made(row), **money)

    def _organisation_known(self, organisation_id: str) -> str | None:
        if organisation_id and organisation_id not in self._organisations:
            raise Refusal(f"its organisation {organisation_id!r} is not there")
        return organisation_id or None

    def _all_members(self) -> list[Row]:
        """One row for each place, with the higher role where two are named, and with the money of its membership."""
        money = {(text_of(row, "team_id"), text_of(row, "user_id")): row for row in self._source.of("members")}
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for row in self._source.of("teams"):
            for user_id, email, role in _places(row):
                place = text_of(row, "team_id"), user_id or self._by_email.get(email.lower(), "")
                known = found.setdefault(place, {"team_id": place[0], "user_id": place[1], "role": role, **money.get(place, {})})
                known["role"] = "manager" if "manager" in (role, known["role"]) else "member"
        for place, row in money.items():
            found.setdefault(place, {"role": "member", **row})
        return [row for place, row in found.items() if place[1] != MASTER]

    def _member(self, row: Row) -> Wanted:
        team_id, user_id = text_of(row, "team_id"), text_of(row, "user_id")
        name = f"{user_id} in {team_id}"
        if team_id not in self._teams:
            raise Refusal(f"the team of {user_id!r} is not there")
        money = self._money(MEMBER, name, row)
        money["needs"] += ((TEAM, team_id), (PERSON, self._known_person(user_id)))
        values = {"team_id": team_id, "user_id": user_id, "role": row["role"]}
        return Wanted(MEMBER, f"{team_id}/{user_id}", name, values, **money)

    # ── keys, end users, tags ─────────────────────────────────────────────────
    def _key(self, row: Row) -> Wanted:
        metadata = self._metadata(KEY, shown(row), row)
        wanted, told = key_of(row, metadata, self._plans.get(text_of(row, "budget_id"), {}), self._taken)
        team_id, organisation_id, user_id = (text_of(row, name) for name in ("team_id", "organization_id", "user_id"))
        if team_id and team_id not in self._teams:
            raise Refusal(f"its team {team_id!r} is not there")
        self._note(KEY, shown(row), *told)
        money = self._money(KEY, shown(row), row)
        owner = user_id if user_id and user_id != MASTER else None
        values = {**wanted, "team_id": team_id or None, "user_id": owner, "organisation_id": self._organisation_known(organisation_id)}
        owners = ((TEAM, team_id), (PERSON, owner or ""), (ORGANISATION, organisation_id))
        money["needs"] += tuple(one for one in owners if one[1])
        own_id = values.pop("id")
        once = {
            **self._made(row),
            "token_hash": own_id,
            "last_four": values.pop("last_four"),
            "created_by": text_of(row, "created_by")[:64],
        }
        return Wanted(KEY, own_id, shown(row), values, once, **money)

    def _end_user(self, row: Row) -> Wanted:
        own_id = self._id(row, "user_id", LONGEST_NAME)
        region = text_of(row, "allowed_model_region")
        self._note(END_USER, own_id, f"its region {region!r} is kept in metadata and not acted on" if region else "")
        values = {
            "name": text_of(row, "alias")[:LONGEST_NAME],
            "is_blocked": row.get("blocked") is True,
            "default_model": text_of(row, "default_model")[:LONGEST_NAME],
            "metadata": {"allowed_model_region": region} if region else {},
        }
        return Wanted(END_USER, own_id, own_id, values, **self._money(END_USER, own_id, row))

    def _tag(self, row: Row) -> Wanted:
        name = self._id(row, "tag_name", LONGEST_NAME)
        values = {"description": text_of(row, "description")[:300], "allowed_models": []}
        # a tag's models are ids of deployments over there, which say nothing of the names that people call
        self._note(TAG, name, "its list of deployments is left out: here a tag lists model names" if names_of(row, "models") else "")
        return Wanted(TAG, name, name, values, self._made(row), **self._money(TAG, name, row))


def _lists(row: Row) -> bool:
    return bool(set(names_of(row, "models")) - {"no-default-models", "all-proxy-models", "all-team-models"})


def _places(team: Row) -> Sequence[tuple[str, str, str]]:
    """(user_id, e-mail, our role) of everybody whom a team names in any of its three lists."""
    listed = team.get("members_with_roles")
    found = []
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, dict) and (text_of(one, "user_id") or text_of(one, "user_email")):
            role = "manager" if one.get("role") == "admin" else "member"
            found.append((text_of(one, "user_id"), text_of(one, "user_email"), role))
    found += [(user_id, "", "manager") for user_id in names_of(team, "admins")]
    found += [(user_id, "", "member") for user_id in names_of(team, "members")]
    return found
