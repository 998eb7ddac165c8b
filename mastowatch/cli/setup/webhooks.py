"""The fourth question: Mastodon's webhooks. Mastodon makes the secret itself, on a page that no API reaches."""

from __future__ import annotations

from mastowatch.cli.setup.begin import Setup
from mastowatch.cli.setup.secret_files import read_secret
from mastowatch.jobs.webhook_events import EVENTS

SECRET = "webhook_secret"  # noqa: S105 -- its name
PATH = "/webhooks/mastodon"


def ask(setup: Setup) -> None:
    """Plan the webhook's secret."""
    arguments = setup.arguments
    if arguments.webhooks is False:
        if setup.kept(SECRET) is not None:
            setup.plan.secrets[SECRET] = None
        return
    if arguments.webhook_secret_file:
        setup.plan.secrets[SECRET] = read_secret("--webhook-secret-file", arguments.webhook_secret_file)
        return
    if arguments.webhooks or (setup.asks and _is_wanted(setup)):
        _tell(setup)
        _take(setup)


def _is_wanted(setup: Setup) -> bool:
    talk = setup.talk
    talk.head("4. Webhooks")
    talk.explain(
        "With a webhook Mastodon tells at once of new local accounts, of local posts, and of reports; no request is "
        "made for it. Only an owner or admin can add one, on a page of Mastodon."
    )
    if setup.kept(SECRET) is not None:
        return talk.confirm("There is one. Give its secret anew?", default=False)
    return talk.confirm("Add one now?", default=setup.first)


def _tell(setup: Setup) -> None:
    talk = setup.talk
    talk.say(f"Open {setup.server}/admin/webhooks, Add endpoint, and enter this address:")
    talk.show(f"http://{setup.settings.api_bind}{PATH}")
    talk.say(
        "(Where Mastodon is on another machine: the https:// address under which a web server passes this path on.) "
        "Tick these events:"
    )
    talk.show("\n".join(name for name, kind in EVENTS.items() if kind.task))


def _take(setup: Setup) -> None:
    talk = setup.talk
    again = "mastowatch setup --webhook-secret-file FILE"
    if not talk.asks and setup.kept(SECRET) is not None:
        return
    if not talk.asks:
        setup.plan.hints.append(f"Webhooks are refused until their secret is here: {again}")
        return
    talk.say("Save it. The webhook's page then shows its Signing secret: copy it.")
    secret = talk.hidden("Signing secret, or Enter to give it later", may_be_empty=True)
    if secret:
        setup.plan.secrets[SECRET] = secret
    elif setup.kept(SECRET) is None:
        setup.plan.hints.append(f"Webhooks are refused until their secret is here: {again}")
