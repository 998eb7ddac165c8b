"""The rules, with what they hit and how right they were; one with all it asks for; and a form to try them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, TypeVar

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse

from mastowatch.domain import comment
from mastowatch.jobs.cases_view import list_cases
from mastowatch.jobs.refusals import BadParameter, Refusal, Unknown
from mastowatch.jobs.rule_trial import RulesUnusable, Told, Tried, try_account, try_text
from mastowatch.jobs.rules_on_disk import rules_on_disk
from mastowatch.jobs.rules_view import RuleRows, list_rules, read_rule
from mastowatch.web.dashboard.access import Form
from mastowatch.web.dashboard.access.csrf import check_origin
from mastowatch.web.dashboard.access.forms import read_form
from mastowatch.web.dashboard.site import Site

Number = TypeVar("Number", int, None)

STATES = ("report", "shadow", "dropped", "off")
CASES = 8
AGES = (
    ("10m", "10 minutes"),
    ("1h", "1 hour"),
    ("6h", "6 hours"),
    ("1d", "1 day"),
    ("3d", "3 days"),
    ("7d", "1 week"),
    ("30d", "1 month"),
    ("400d", "More than a year"),
)


def add(app: FastAPI, site: Site) -> None:
    """Add them."""
    _add_reading(app, site)
    _add_arming(app, site)
    _add_trying(app, site)


def _add_reading(app: FastAPI, site: Site) -> None:
    view = site.view

    @app.get("/rules", response_class=HTMLResponse)
    def rules(request: Request, state: Annotated[str, Query(max_length=20)] = "") -> HTMLResponse:
        """List the rules."""
        if state and state not in STATES:
            raise BadParameter(f"state: {state!r} is not allowed; allowed: {', '.join(STATES)}")
        found = list_rules(view)
        counts = Counter(one.state for one in found.rules)
        chips = [("All", f"{site.base}/rules", not state)]
        chips += [
            (f"{name.capitalize()} {counts[name]}", f"{site.base}/rules?state={name}", state == name)  # type: ignore[index]
            for name in STATES
            if counts[name] or state == name  # type: ignore[index]
        ]
        return site.page(
            request,
            "rules.html",
            at="/rules",
            found=found,
            rows=[one for one in found.rules if state in ("", one.state)],
            chips=chips,
            most=max((one.hits + one.shadow_hits for one in found.rules), default=0) or 1,
            behind=_behind(found),
        )

    @app.get("/rules/{rule_id}", response_class=HTMLResponse)
    def rule(request: Request, rule_id: str) -> HTMLResponse:
        """Show one rule."""
        found = read_rule(view, rule_id)
        return site.page(
            request,
            "rule.html",
            at="/rules",
            rule=found,
            cases=list_cases(view, limit=CASES, rule=rule_id),
            faults=rules_on_disk(view.settings.rules_dir).faults,
            enforcing=view.settings.allow_enforcement,
            thresholds=(comment.exact(view.settings.watch_threshold), comment.exact(view.settings.report_threshold)),
        )


def _behind(found: RuleRows) -> list[str]:
    """Return the workers that have other rules than the files, as far as that is known."""
    return sorted(name for name, digest in found.in_force.items() if found.digest and digest and digest != found.digest)


def _add_arming(app: FastAPI, site: Site) -> None:
    view = site.view

    @app.get("/rules/{rule_id}/arm", response_class=HTMLResponse)
    def ask(request: Request, rule_id: str) -> HTMLResponse:
        """Say what re-arming does."""
        dropped = view.rule_switches.shadowed().get(rule_id)
        if dropped is None:
            raise Unknown(f"the rule {rule_id!r} is not dropped")
        held = len(view.held.waiting(rule_id))
        return site.page(
            request, "ask.html", at="/rules", what="arm", dropped=dropped, held=held, needs="switch",
            path=f"/rules/{rule_id}/arm", back=f"/rules/{rule_id}", button="Re-arm",
        )  # fmt: skip

    @app.post("/rules/{rule_id}/arm")
    def arm(
        request: Request,
        rule_id: str,
        form: Form = Depends(site.changing("switch")),  # noqa: B008 -- FastAPI's way
    ) -> Response:
        """Let it count again."""
        del form
        if rule_id not in view.rule_switches.shadowed():
            raise Unknown(f"the rule {rule_id!r} is not dropped")
        armed = site.actions(request).arm(rule_id)
        known = any(one.id == rule_id for one in rules_on_disk(view.settings.rules_dir).rules)
        return site.done(
            request,
            f"/rules/{rule_id}" if known else "/switches",
            f"{rule_id} counts again. {judged_again(armed.queued)}",
        )


def judged_again(queued: int) -> str:
    """Return how many accounts are judged again, in a sentence."""
    if not queued:
        return "It held nobody back."
    return (
        "One account that was held back is judged again now."
        if queued == 1
        else (f"{queued} accounts that were held back are judged again now.")
    )


def _add_trying(app: FastAPI, site: Site) -> None:
    @app.get("/try", response_class=HTMLResponse)
    def form(request: Request, account: Annotated[str, Query(max_length=300)] = "") -> HTMLResponse:
        """Show the form, and with an account what the rules make of it."""
        return _answer(site, request, {"account": account}, Told(), asked=bool(account))

    async def sent(request: Request) -> Mapping[str, str]:
        # Nothing is changed and nothing kept, so nobody needs to be signed in; only other sites' pages are refused.
        check_origin(request, site.access.address)
        return await read_form(request)

    @app.post("/try", response_class=HTMLResponse)
    def attempt(request: Request, given: Mapping[str, str] = Depends(sent)) -> HTMLResponse:
        """Show what the rules make of a text, an account, or both."""
        try:
            told = _told(given)
        except BadParameter as error:
            return _form(site, request, given, problem=str(error), status=error.status)
        return _answer(site, request, given, told)


def _answer(site: Site, request: Request, given: Mapping[str, str], told: Told, *, asked: bool = True) -> HTMLResponse:
    who = given.get("account", "").strip()
    if not asked:
        return _form(site, request, given)
    if not who and not told.text and not told.bio and not told.name:
        return _form(site, request, given, problem="Give a text, an account, or both.", status=422)
    try:
        tried = try_account(site.view, who, told) if who else try_text(site.view, told)
    except RulesUnusable:
        return _form(site, request, given)
    except Refusal as error:
        return _form(site, request, given, problem=str(error), status=error.status)
    return _form(site, request, given, tried=tried, missing=who if tried is None else "")


def _form(
    site: Site,
    request: Request,
    given: Mapping[str, str],
    *,
    tried: Tried | None = None,
    missing: str = "",
    problem: str = "",
    status: int = 200,
) -> HTMLResponse:
    settings = site.view.settings
    accounts, posts = site.view.posts.count()
    return site.page(
        request,
        "try.html",
        at="/rules",
        status=status,
        given=given,
        tried=tried,
        missing=missing,
        problem=problem,
        ages=AGES,
        faults=rules_on_disk(settings.rules_dir).faults,
        recent=(accounts, posts),
        thresholds=(comment.exact(settings.watch_threshold), comment.exact(settings.report_threshold)),
        rest=comment.remainder(tried.verdict.score, [one.weight for one in tried.verdict.reasons if not one.shadow])
        if tried
        else 0,
    )


def _told(given: Mapping[str, str]) -> Told:
    """Return what the form tells; raises BadParameter."""
    age = given.get("age", "") or "400d"
    if age not in dict(AGES):
        raise BadParameter(f"age: {age!r} is not one of the form's")
    return Told(
        text=given.get("text", ""),
        age=age,
        remote=given.get("origin", "remote") != "local",
        name=given.get("name", "").strip(),
        bio=given.get("bio", "").strip(),
        reply=given.get("reply", "") == "on",
        language=given.get("language", "").strip(),
        mentions=_number(given, "mentions", None),
        tags=_number(given, "tags", None),
        followers=_number(given, "followers", Told.followers),
        following=_number(given, "following", Told.following),
        media=_number(given, "media", Told.media),
        posts=_number(given, "posts", Told.posts),
        accounts=_number(given, "accounts", Told.accounts),
    )


def _number(given: Mapping[str, str], name: str, otherwise: Number) -> int | Number:
    """Return a whole number of the form, ``otherwise`` where the field is empty."""
    text = given.get(name, "").strip()
    if not text:
        return otherwise
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise BadParameter(f"{name}: {text[:20]!r} is no whole number")
    return int(text)
