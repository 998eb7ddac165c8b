"""The arguments of ``mastowatch cases`` and ``mastowatch audit``."""

from __future__ import annotations

import argparse
from typing import Any

from mastowatch.cli.names import AUDIT_EVENTS, OUTCOMES
from mastowatch.cli.parsing import Parser, add, later, number


def add_cases(commands: argparse._SubParsersAction[Any], config: Parser) -> None:
    """Add what shows decisions: on accounts, and all of them with what people did."""
    page = Parser(add_help=False)
    page.add_argument("--limit", type=number, default=50, metavar="N", help="so many at most, up to 200; 50")
    page.add_argument("--cursor", metavar="CURSOR", help="go on where the last page ended, which told this")
    page.add_argument("--json", action="store_true", help="print JSON, with the API's names, for other programs")
    one = add(commands, "cases", "show whom MastoWatch judged, why, and what moderators made of it", [config, page])
    one.add_argument("id", nargs="?", metavar="ID", help="the account's id: this case in full")
    one.add_argument("--outcome", choices=OUTCOMES, help="cases that came to this")
    one.add_argument("--rule", metavar="RULE", help="cases in which this rule hit")
    one.add_argument("--account", metavar="NAME", help="part of the account's name, or its id")
    one.set_defaults(run=later("cases"))
    about = "show what was decided, and what people did, newest first"
    one = add(commands, "audit", about, [config, page])
    one.add_argument("--event", choices=AUDIT_EVENTS, help="entries of this kind; action: what people did")
    one.add_argument("--account", metavar="ID", help="entries about the account with this id")
    one.add_argument("--by", metavar="NAME", help="what somebody did whose name has this in it; *: what people did")
    one.set_defaults(run=later("audit"))
