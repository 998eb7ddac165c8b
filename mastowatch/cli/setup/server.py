"""The first question: which Mastodon server."""

from __future__ import annotations

from urllib.parse import urlsplit

from mastowatch.cli.setup.begin import Setup
from mastowatch.cli.setup.stopping import Refused
from mastowatch.cli.setup.talking import is_bad
from mastowatch.errors import ConfigError
from mastowatch.jobs.checks.mastodon import check_server


def ask(setup: Setup) -> None:
    """Plan the server's address, once it has been looked at; raises Refused."""
    talk, given = setup.talk, setup.arguments.server
    if not given and not setup.asks:
        return
    talk.head("1. Your Mastodon server")
    while True:
        address = given or talk.ask("Its address, like https://mastodon.example", setup.settings.instance_base)
        if _is_fine(setup, address):
            return
        if not talk.asks:
            raise Refused("the server can't be used like this; mend that, or say --force")
        given = ""


def _is_fine(setup: Setup, address: str) -> bool:
    talk = setup.talk
    with setup.trying() as good:
        try:
            setup.set("INSTANCE_BASE", _base(address))
        except ConfigError as error:
            talk.say(str(error))
            return False
        found = check_server(setup.server, setup.settings)
        if is_bad(found):
            # What could not be looked at follows from that.
            found = [one for one in found if one.state != "unknown"]
        talk.findings(found)
        fine = not is_bad(found) or setup.arguments.force
        if fine or (talk.asks and talk.confirm("Go on with it all the same?", default=False)):
            # Else a wrong address would be what Enter takes the next time.
            good()
            return True
    return False


def _base(address: str) -> str:
    """Return the server of an address as people copy it from a browser: without its page, with a scheme."""
    parts = urlsplit(address if "://" in address else f"https://{address}")
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else address
