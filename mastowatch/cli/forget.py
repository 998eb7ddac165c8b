"""``mastowatch forget``: deletes MastoWatch's keys in Redis, or what is known of one account, after a look at it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping

from mastowatch.cli.records import change, connect
from mastowatch.config import Loaded
from mastowatch.config.loading import masked
from mastowatch.errors import StoreUnavailable
from mastowatch.jobs.actions import Actions
from mastowatch.jobs.context import View, erasure, forgetting
from mastowatch.jobs.queues import is_id
from mastowatch.jobs.refusals import BadParameter

EXIT_NO = 1
_QUESTION = "Delete them? Accounts that were reported may then be reported once more. [y/N] "
_ERASE = "Erase it? That it was reported stays known, by its id, until that runs out. [y/N] "


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Tell what would be deleted, and delete it after a yes; 1 after a no, while processes run, or with Redis away."""
    if arguments.account is not None:
        return change(loaded, lambda view, actions: _forget_account(view, actions, arguments))
    try:
        with forgetting(connect(loaded)) as keys:
            if not arguments.force and _is_in_use(keys.check_layout()):
                return EXIT_NO
            found = keys.count()
            _tell(f"Keys of MastoWatch in {masked(loaded)['REDIS_URL']}", found)
            if not found:
                return 0
            if not arguments.yes and not _is_wanted(_QUESTION):
                return EXIT_NO
            _tell("Deleted", keys.delete())
    except StoreUnavailable as error:
        print(f"mastowatch: {error}; try again when it answers: what is gone by then does no harm", file=sys.stderr)
        return EXIT_NO
    return 0


def _forget_account(view: View, actions: Actions, arguments: argparse.Namespace) -> int:
    account_id = str(arguments.account)
    if not is_id(account_id):
        raise BadParameter(
            f"--account: {account_id!r} is no id; see the account's address in Mastodon's administration"
        )
    found = erasure(view.redis).count(account_id)
    _tell(f"Known of the account {account_id}", found)
    if not found:
        return 0
    if not arguments.yes and not _is_wanted(_ERASE):
        return EXIT_NO
    actions.erase_account(account_id)
    print("Erased. It is judged anew when it is seen again, unless it is gone from Mastodon.")
    return 0


def _is_in_use(running: Iterable[object]) -> bool:
    names = ", ".join(map(str, running))
    if names:
        print(f"mastowatch: these still run: {names}; stop them first, or say --force", file=sys.stderr)
    return bool(names)


def _is_wanted(question: str) -> bool:
    """Ask a person; where none is, nothing is deleted."""
    if not sys.stdin.isatty():
        print("Nothing was deleted; say --yes to delete them.")
        return False
    try:
        return input(question).strip().lower() in ("y", "yes")
    except (EOFError, KeyboardInterrupt):
        print("\nNothing was deleted.")
        return False


def _tell(title: str, found: Mapping[str, int]) -> None:
    print(f"{title}: {sum(found.values()) or 'none'}")
    for kind in sorted(found):
        print(f"{found[kind]:>10}  {kind}")
