"""The second question: the bot's access token, by authorising in a browser or made by hand."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mastowatch.cli.setup.begin import Setup
from mastowatch.cli.setup.secret_files import read_secret
from mastowatch.cli.setup.stopping import Refused
from mastowatch.cli.setup.talking import Choice, is_bad
from mastowatch.errors import MastodonError
from mastowatch.jobs.checks.finding import Finding
from mastowatch.jobs.checks.mastodon import calls_for, check_token
from mastowatch.jobs.context import register_application

# What Mastodon says of these it will say of the same token for ever.
_FOR_GOOD = ("mastodon-token", "mastodon-scopes")
_WAYS = (
    Choice("authorize", "authorise MastoWatch in a browser, signed in there as the bot"),
    Choice("paste", "paste an access token that you have made by hand"),
)


def ask(setup: Setup) -> None:
    """Plan the token, once each of its rights has been tried; raises Refused."""
    arguments = setup.arguments
    if not setup.asks and not arguments.access_token_file and not arguments.authorize:
        if "INSTANCE_BASE" in setup.plan.values:
            _look_at_kept(setup)
        return
    setup.talk.head("2. The bot's access token")
    way = _way(setup)
    if way == "keep":
        _look_at_kept(setup)
    else:
        _take(setup, way)


def scopes(setup: Setup) -> tuple[str, ...]:
    """Return the scopes that are needed, and no others."""
    calls = calls_for(enforcing=setup.settings.allow_enforcement)
    return tuple(sorted({"read:accounts", *(one.scope for one in calls)}))


def _way(setup: Setup) -> str:
    talk, arguments = setup.talk, setup.arguments
    if arguments.authorize or arguments.access_token_file:
        return "authorize" if arguments.authorize else "file"
    kept = setup.kept("access_token") is not None and not _is_anothers(setup)
    ways = (Choice("keep", "keep the token that is there"), *_WAYS) if kept else _WAYS
    if not kept:
        talk.explain(
            "MastoWatch looks and reports as an account of its own on your server: the bot. If there is none yet, sign "
            "it up, and give it a role with the permissions Manage Reports and Manage Users (in Mastodon: Preferences, "
            "Administration, Roles; then Moderation, Accounts, the bot, Change role)."
        )
    return talk.choose("Which", ways, ways[0].word)


def _is_anothers(setup: Setup) -> bool:
    """Tell whether the token that is there is of another server: whoever answers at this address would get it."""
    return setup.old_server not in ("", setup.server) and not setup.arguments.force


def _look_at_kept(setup: Setup) -> None:
    token = setup.kept("access_token")
    if token is not None and _is_anothers(setup):
        raise Refused(
            f"the access token that is there is of {setup.old_server}, and is not sent elsewhere; give one of "
            f"{setup.server} with --access-token-file or --authorize, or say --force if it is the same server"
        )
    if token is not None:
        _is_fine(setup, token, may_ask_again=False)


def _take(setup: Setup, way: str) -> None:
    """Get a token by this way until one is good."""
    talk = setup.talk
    while True:
        token = _get(setup, way)
        if token is not None and _is_fine(setup, token, may_ask_again=True):
            setup.plan.secrets["access_token"] = token
            return
        if not talk.asks:
            raise Refused("there is no token to go on with")
        way = talk.choose("Once more", _WAYS, "paste" if way == "file" else way)


def _get(setup: Setup, way: str) -> str | None:
    """Return a token, or None where that did not work; it has been told why."""
    talk, name = setup.talk, setup.arguments.access_token_file
    if way == "authorize":
        return _authorised(setup)
    if way == "file":
        return read_secret("--access-token-file", name)
    talk.explain(
        "Sign in to Mastodon as the bot. Preferences, Development, New application; any name; take away the scopes "
        "that are ticked, and tick these alone. Submit, open the application, and copy Your access token."
    )
    talk.show("\n".join(scopes(setup)))
    return talk.hidden("Access token")


def _authorised(setup: Setup) -> str | None:
    """Have a person authorise MastoWatch in a browser."""
    talk, name = setup.talk, setup.arguments.code_file
    try:
        application = register_application(setup.server, scopes(setup), setup.settings)
        talk.say(
            "Open this address in a browser in which you are signed in to Mastodon as the bot (a private window is "
            "easiest), authorise, and copy the code that is shown:"
        )
        talk.show(application.ask_at)
        code = read_secret("--code-file", name) if name else talk.hidden("Code")
        token = application.token(code)
    except MastodonError as error:
        print(f"mastowatch: {error}", file=sys.stderr)
        return None
    setup.plan.tokens[token] = application
    return token


def _is_fine(setup: Setup, token: str, *, may_ask_again: bool) -> bool:
    """Try the token until it is good, somebody wants another, or says to go on; raises Refused."""
    talk = setup.talk
    while True:
        found = check_token(setup.server, token, setup.settings)
        talk.findings(found)
        if not is_bad(found, "failure", "unknown"):
            return _is_the_bots(setup) if may_ask_again else True
        if setup.arguments.force:
            return True
        if not talk.asks:
            raise Refused("the token can't do what is needed; mend that, or say --force")
        answer = _after_a_failure(setup, found, may_ask_again=may_ask_again)
        if answer != "again":
            return answer == "go-on"


def _after_a_failure(setup: Setup, found: Sequence[Finding], *, may_ask_again: bool) -> str:
    again = Choice("again", "I have mended it in Mastodon: look again")
    ways = [Choice("other", "take another token")] if may_ask_again else []
    # A role can be mended there; another token is what a wrong or revoked one wants, and one with too few scopes.
    for_good = any(one.state == "failure" and one.check in _FOR_GOOD for one in found)
    ways.insert(len(ways) if for_good else 0, again)
    ways.append(Choice("go-on", "go on all the same"))
    return setup.talk.choose("What now", ways, ways[0].word)


def _is_the_bots(setup: Setup) -> bool:
    """Ask whether the account is the right one: reports will bear its name."""
    if not setup.talk.asks:
        return True
    return setup.talk.confirm("Reports will come from that account. Is it the bot's?", default=True)
