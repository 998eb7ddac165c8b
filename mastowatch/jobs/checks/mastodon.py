"""The Mastodon server and our token there: each right is tried by a call that changes nothing.

`mastowatch setup` asks the same, before anything is written down.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mastowatch.config import Settings
from mastowatch.jobs import context as contexts
from mastowatch.jobs.checks.certificate import check_certificate
from mastowatch.jobs.checks.finding import Finding
from mastowatch.ports.probe import Probe, Reply

# The least whose API has all that is asked of it: /api/v2/admin/accounts and reports with categories.
LEAST_VERSION = (4, 0)
SKEW_WARNING_S, SKEW_FAILURE_S = 30.0, 300.0
# Somebody waits; the whole of a look must not take longer than a few of these.
PATIENCE_S = 10.0
# Bits of Mastodon's UserRole.
ADMINISTRATOR, MANAGE_REPORTS, MANAGE_USERS = 1 << 0, 1 << 4, 1 << 10
_RIGHTS = {"manage_users": MANAGE_USERS, "manage_reports": MANAGE_REPORTS}
_VERSION = re.compile(r"(\d{1,3})\.(\d{1,3})[A-Za-z0-9.+~_-]{0,40}", re.ASCII)
_AGAIN = "mastowatch setup --authorize"
# What may stand in a header behind "Bearer": RFC 6750.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)
_NO_TOKEN = "that is no access token: it holds blanks, line ends or signs that none has"  # noqa: S105 -- a text


@dataclass(frozen=True, slots=True)
class Call:
    """A harmless request that only a token with ``scope`` may make, and the right that its account's role needs.

    ``answers`` are the codes that say yes. No account or report has the id 0, so what would change one finds none.
    """

    scope: str
    method: str
    path: str
    answers: frozenset[int] = frozenset({200})
    right: str = ""


_NONE_THERE = frozenset({404, 422})
WATCHING = (
    Call("admin:read:accounts", "GET", "/api/v2/admin/accounts?limit=1", right="manage_users"),
    Call("admin:read:reports", "GET", "/api/v1/admin/reports?limit=1", right="manage_reports"),
    Call("read:statuses", "GET", "/api/v1/accounts/{me}/statuses?limit=1"),
    # Without an account_id nothing can be filed: Mastodon looks for the account first, and answers 404.
    Call("write:reports", "POST", "/api/v1/reports", _NONE_THERE),
)
ENFORCING = (
    Call("admin:write:accounts", "POST", "/api/v1/admin/accounts/0/action", _NONE_THERE, "manage_users"),
    Call("admin:write:reports", "POST", "/api/v1/admin/reports/0/reopen", _NONE_THERE, "manage_reports"),
)


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What came of the calls: first whom the token is about, then the others by scope."""

    me: Reply
    replies: Mapping[str, Reply]


def check_server(base_url: str, settings: Settings) -> list[Finding]:
    """Tell whether the server answers, is a Mastodon that is new enough, has our time, and a good certificate."""
    reply = read_server(contexts.probe(base_url, settings, PATIENCE_S))
    found = [*judge_server(base_url, reply), judge_clock(reply)]
    return [*found, *check_certificate(base_url)]


def check_token(base_url: str, token: str, settings: Settings) -> list[Finding]:
    """Tell whether the token works, has the scopes that are needed, and an account with the rights for them."""
    probe = contexts.probe(base_url, settings, PATIENCE_S)
    return judge_token(read_token(probe, token, enforcing=settings.allow_enforcement), settings)


def read_server(probe: Probe) -> Reply:
    """Return what the server says of itself: /api/v2/instance, or what older ones have."""
    reply = probe.ask("GET", "/api/v2/instance")
    return probe.ask("GET", "/api/v1/instance") if reply.status == 404 else reply


def read_token(probe: Probe, token: str, *, enforcing: bool) -> TokenFacts:
    """Ask with the token; nothing more once it is refused, and nothing at all with what no request can carry."""
    if not _TOKEN.fullmatch(token):
        return TokenFacts(Reply(401, _NO_TOKEN), {})
    me = probe.ask("GET", "/api/v1/accounts/verify_credentials", token=token)
    if me.status not in (200, 403):
        return TokenFacts(me, {})
    account_id = _text(me.json, "id")
    calls = calls_for(enforcing=enforcing)
    if not account_id.isalnum():
        calls = tuple(one for one in calls if "{me}" not in one.path)
    return TokenFacts(
        me, {one.scope: probe.ask(one.method, one.path.format(me=account_id), token=token) for one in calls}
    )


def calls_for(*, enforcing: bool) -> tuple[Call, ...]:
    """Return the calls to make; those for measures only where the settings allow measures."""
    return (*WATCHING, *(ENFORCING if enforcing else ()))


def judge_server(base_url: str, reply: Reply) -> list[Finding]:
    """Judge whether it is a Mastodon that we can work with."""
    name = "mastodon-server"
    if reply.status != 200:
        return [
            Finding(
                name,
                "failure",
                f"{base_url} gave no answer to use: {_problem(reply)}",
                "Nothing can be looked at or reported while the server can't be reached from here.",
                f"curl -sS -o /dev/null -w '%{{http_code}}\\n' {base_url}/api/v2/instance",
            )
        ]
    shown = _VERSION.match(_text(reply.json, "version"))
    if shown is None:
        return [
            Finding(
                name,
                "failure",
                f"{base_url} answers, and not as Mastodon does",
                "INSTANCE_BASE must be the address of a Mastodon server.",
                "mastowatch config show",
            )
        ]
    ok = Finding(name, "ok", f"{base_url} answers")
    version = (int(shown[1]), int(shown[2]))
    if version < LEAST_VERSION:
        least = ".".join(map(str, LEAST_VERSION))
        old = f"Mastodon {shown[0]} is older than {least}"
        return [
            ok,
            Finding("mastodon-version", "failure", old, f"MastoWatch needs Mastodon {least} or later: upgrade it."),
        ]
    return [ok, Finding("mastodon-version", "ok", f"Mastodon {shown[0]}")]


def judge_clock(reply: Reply) -> Finding:
    """Judge how far this machine's clock is from the server's."""
    name = "clock"
    if reply.ahead_s is None:
        return Finding(name, "unknown", "the server did not tell its time", "The clocks could not be compared.")
    apart = abs(reply.ahead_s)
    if apart <= SKEW_WARNING_S:
        return Finding(name, "ok", f"within {max(1, round(apart))} s of the server's clock")
    way = "behind" if reply.ahead_s > 0 else "ahead of"
    return Finding(
        name,
        "failure" if apart > SKEW_FAILURE_S else "warning",
        f"this machine's clock is {apart:.0f} s {way} the server's",
        "Ages of accounts and posts, the request budget and the sign-in go by the clock, and are wrong by so much.",
        "timedatectl set-ntp true && timedatectl",
    )


def judge_token(facts: TokenFacts, settings: Settings) -> list[Finding]:
    """Judge token, scopes and role; where the first fails there is nothing to say of the others."""
    refused = _refused(facts.me)
    if refused is not None:
        return [refused]
    found = [_token(facts), *_scopes(facts, settings)]
    return [*found, *_role(facts, settings)]


def _refused(me: Reply) -> Finding | None:
    name = "mastodon-token"
    if me.problem == _NO_TOKEN:
        means = (
            "Its file must hold the token alone, in one line; nothing can be looked at or reported with anything else."
        )
        return Finding(name, "failure", _NO_TOKEN, means, _AGAIN)
    if me.status == 401:
        return Finding(
            name,
            "failure",
            "the access token is refused (401)",
            "It was revoked or mistyped; nothing can be looked at or reported with it.",
            _AGAIN,
        )
    if me.status == 403 and me.forbidden != "scope":
        return Finding(
            name,
            "failure",
            "the access token's account may not act (403)",
            "It is suspended, disabled, or not confirmed yet: see to it on Mastodon's admin pages.",
        )
    if me.status in (200, 403):
        return None
    return Finding(
        name, "unknown", f"the access token could not be tried: {_problem(me)}", "Try again when the server answers."
    )


def _token(facts: TokenFacts) -> Finding:
    account = _text(facts.me.json, "username")
    shown = f" of @{account}" if re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", account, re.ASCII) else ""
    return Finding("mastodon-token", "ok", f"the access token{shown} is accepted")


def _scopes(facts: TokenFacts, settings: Settings) -> Iterator[Finding]:
    name, calls = "mastodon-scopes", calls_for(enforcing=settings.allow_enforcement)
    by_scope = {"read:accounts": facts.me, **facts.replies}
    lacks = [scope for scope, reply in by_scope.items() if reply.forbidden == "scope"]
    wanted = ["read:accounts", *(one.scope for one in calls)]
    answers = {"read:accounts": frozenset({200}), **{one.scope: one.answers for one in calls}}
    unsure = [scope for scope in wanted if scope not in lacks and not _tells(by_scope.get(scope), answers[scope])]
    if lacks:
        yield Finding(
            name,
            "failure",
            f"the access token lacks {', '.join(lacks)}",
            "What needs these is refused by Mastodon; authorise it anew with all scopes.",
            _AGAIN,
        )
    if unsure:
        yield Finding(
            name,
            "unknown",
            f"could not be tried: {', '.join(unsure)} ({_unsure(by_scope, unsure)})",
            "Try again when the server answers as it should.",
        )
    if not lacks and not unsure:
        yield Finding(name, "ok", f"has {' '.join(wanted)}")


def _tells(reply: Reply | None, answers: frozenset[int]) -> bool:
    """Whether the reply says that the scope is there: also where it is the role that does not reach."""
    return reply is not None and (reply.status in answers or reply.forbidden == "role")


def _unsure(by_scope: Mapping[str, Reply], unsure: list[str]) -> str:
    first = next((by_scope[scope] for scope in unsure if scope in by_scope), None)
    return _problem(first) if first is not None else "whom the token is about is not known"


def _role(facts: TokenFacts, settings: Settings) -> Iterator[Finding]:
    """Judge the rights by what the calls were answered; by the role's bits only where no call could tell."""
    name = "mastodon-role"
    lacks, unsure = set(), set()
    for one in calls_for(enforcing=settings.allow_enforcement):
        reply = facts.replies.get(one.scope)
        if one.right and reply is not None and reply.forbidden == "role":
            lacks.add(one.right)
        elif one.right and (reply is None or reply.status not in one.answers):
            unsure.add(one.right)
    bits = _permissions(facts.me.json)
    if bits is not None:
        lacks |= {right for right in unsure if not bits & (ADMINISTRATOR | _RIGHTS[right])}
        unsure = set()
    if lacks:
        yield Finding(
            name,
            "failure",
            f"the bot's role lacks {' and '.join(sorted(lacks))}",
            "Mastodon refuses what needs these; give its account a role that has them"
            " (Preferences, Administration, Roles).",
        )
    elif unsure:
        yield Finding(name, "unknown", f"could not be tried: {' and '.join(sorted(unsure))}", "Mend the scopes first.")
    else:
        yield Finding(name, "ok", f"has {' and '.join(_RIGHTS)}")


def _permissions(found: Any) -> int | None:  # noqa: ANN401 -- JSON
    role = found.get("role") if isinstance(found, dict) else None
    text = str(role.get("permissions", "")) if isinstance(role, dict) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


def _problem(reply: Reply) -> str:
    if 300 <= reply.status < 400:
        return "it redirects elsewhere; INSTANCE_BASE must be the server's own address"
    if reply.status == 429:
        return "it asks for a pause (429); wait five minutes"
    return reply.problem or f"it answered {reply.status}"


def _text(found: Any, name: str) -> str:  # noqa: ANN401 -- JSON
    value = found.get(name) if isinstance(found, dict) else None
    return value[:200] if isinstance(value, str) else ""
