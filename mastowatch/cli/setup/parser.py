"""The arguments of ``mastowatch setup``: a flag for each question. Imports nothing that takes time."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from mastowatch.cli.parsing import Parser, add, number

if TYPE_CHECKING:
    from mastowatch.config import Sources

# Those that ask for a change by themselves; the others say how it is gone about.
WISHES = (
    "server",
    "access_token_file",
    "authorize",
    "redis",
    "redis_password_file",
    "webhooks",
    "webhook_secret_file",
    "dashboard",
    "dashboard_url",
    "dashboard_password_file",
    "stream",
    "workers",
    "dry_run",
)
_FILE = "FILE|-"


def add_setup(commands: argparse._SubParsersAction[Any], config: Parser) -> None:
    """Add the command."""
    about = "ask what is needed, check it, write the settings, start the units, and see that all is well"
    one = add(commands, "setup", about, [config])
    # Not arguments.instance, which is a worker's number.
    about = "address of the Mastodon server, like https://mastodon.example"
    one.add_argument("--instance", dest="server", metavar="URL", help=about)
    way = one.add_mutually_exclusive_group()
    about = "the bot's access token, made by hand; - for standard input"
    way.add_argument("--access-token-file", metavar=_FILE, help=about)
    about = "register MastoWatch with the server, and have the bot authorise it in a browser"
    way.add_argument("--authorize", action="store_true", help=about)
    about = "the code that the browser shows then, instead of a question; - for standard input"
    one.add_argument("--code-file", metavar=_FILE, help=about)
    about = "host: this machine's own, database 1; private: one for MastoWatch alone, redis-server@mastowatch; or a URL"
    one.add_argument("--redis", metavar="host|private|URL", help=about)
    about = "Redis' password, where it has one; - for standard input"
    one.add_argument("--redis-password-file", metavar=_FILE, help=about)
    about = "say what to enter on Mastodon's page for webhooks, and take the secret that it shows; or have none"
    one.add_argument("--webhooks", action=argparse.BooleanOptionalAction, help=about)
    about = "the webhook's signing secret, instead of a question; - for standard input"
    one.add_argument("--webhook-secret-file", metavar=_FILE, help=about)
    about = "who may sign in to the dashboard: mastodon (by the roles there), password NAME, or none (nobody needs to)"
    one.add_argument("--dashboard", nargs="+", metavar="WAY", help=about)
    about = "where people reach the dashboard, through a proxy say"
    one.add_argument("--dashboard-url", metavar="URL", help=about)
    about = "NAME's password, instead of a question; - for standard input"
    one.add_argument("--dashboard-password-file", metavar=_FILE, help=about)
    about = "read the public stream of posts, or look at the timeline once a minute"
    one.add_argument("--stream", action=argparse.BooleanOptionalAction, help=about)
    one.add_argument("--workers", type=number, metavar="N", help="how many workers there are to be")
    about = "only rehearse reports, or file them; a first set-up always begins with a rehearsal"
    one.add_argument("--dry-run", action=argparse.BooleanOptionalAction, help=about)
    about = "enable and start the units, or only write the files, and say which commands are left"
    one.add_argument("--start", action=argparse.BooleanOptionalAction, help=about)
    one.add_argument("--yes", action="store_true", help="ask nothing: defaults stand for what no flag says")
    about = "go on though the server, the token or Redis is not as it must be"
    one.add_argument("--force", action="store_true", help=about)
    one.set_defaults(run=_run)


def _run(sources: Sources, arguments: argparse.Namespace) -> int:
    from mastowatch.cli.setup import command

    return command.run(sources, arguments)
