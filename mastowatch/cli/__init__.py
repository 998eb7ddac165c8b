"""The command line: one command a process, and what an admin asks or switches.

Each command imports what it needs itself: a worker does without the web server's 20 MiB, and an import that fails is
told of like any other crash.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from mastowatch import __version__, journal
from mastowatch.errors import ConfigError, MastoWatchError

if TYPE_CHECKING:
    from mastowatch.config import Loaded, Sources

# A wrong setting or argument; systemd and scripts tell it from a crash.
EXIT_USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0, 1 for "no", 2 for a setting or argument that is wrong."""
    journal.tell_crashes()
    # A seventh of the time of a start went into looking for rubbish among what is being imported.
    gc.disable()
    try:
        arguments = _parser().parse_args(argv)
        command: Callable[[Sources, argparse.Namespace], int] = arguments.run
        return command(_sources(arguments), arguments)
    except MastoWatchError as error:
        complain(str(error))
        return EXIT_USAGE
    except BrokenPipeError:
        # `mastowatch config show | head`: nobody reads on. Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    finally:
        gc.enable()


def complain(text: str) -> None:
    """Say what is wrong in one line: to a person as it is, to the journal as an event."""
    if not journal.is_stderr():
        print(f"mastowatch: {text}", file=sys.stderr)
        return
    import logging

    from mastowatch.logs import event, set_up

    set_up("info")
    event(logging.getLogger(__name__), logging.ERROR, "not_usable", error=text)


def _sources(arguments: argparse.Namespace) -> Sources:
    from mastowatch.config import Sources

    queues = getattr(arguments, "queues", None)
    overrides = {"WORKER_QUEUES": queues} if queues else {}
    file, instance = getattr(arguments, "config", None), getattr(arguments, "instance", "")
    return Sources(dict(os.environ), file, overrides, instance)


class _Parser(argparse.ArgumentParser):
    """Says in the journal what is wrong with an argument in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """End with what is wrong."""
        if journal.is_stderr():
            raise ConfigError(f"command line: {message}")
        super().error(message)


def _parser() -> argparse.ArgumentParser:
    # --config may stand before the command or behind it, where people write it too.
    config = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    about = "settings, instead of /etc/mastowatch/mastowatch.env"
    config.add_argument("--config", type=Path, metavar="FILE", help=about)
    instance = _Parser(add_help=False)
    about = "number of this worker; worker@N.env beside the settings is read too"
    instance.add_argument("--instance", default="", metavar="N", help=about)
    about = "Watch a Mastodon server and report by rules."
    parser = _Parser(prog="mastowatch", description=about, parents=[config])
    parser.add_argument("--version", action="version", version=f"mastowatch {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("worker", help="run jobs from the queues", parents=[config, instance])
    one.add_argument("--queues", metavar="high,default,low", help="queues to serve, most urgent first")
    one.set_defaults(run=_worker)
    one = commands.add_parser("scheduler", help="put recurring jobs on the queues", parents=[config])
    one.set_defaults(run=_scheduler)
    one = commands.add_parser(
        "stream", help="read the public stream of posts, and hand on those worth a look", parents=[config]
    )
    one.set_defaults(run=_stream)
    one = commands.add_parser("api", help="serve the /jobs API", parents=[config])
    one.set_defaults(run=_api)
    one = commands.add_parser("dashboard", help="serve the pages", parents=[config])
    one.set_defaults(run=_dashboard)

    about = "show: settings in force; check: whether all is usable; example: a settings file"
    _add_config(commands.add_parser("config", help=about), [config, instance])

    about = "check: read the rules and run their examples; explain, test, try, stats, arm: what they do and have done"
    _add_rules(commands.add_parser("rules", help=about), [config])

    one = commands.add_parser("panic", help="stop all work at once, or go on", parents=[config])
    one.add_argument("action", choices=("on", "off", "status"))
    one.set_defaults(run=_panic)

    one = commands.add_parser("forget", help="delete MastoWatch's keys in Redis, and no others", parents=[config])
    one.add_argument("--yes", action="store_true", help="without asking; else a list is shown, and a terminal asked")
    about = "even while processes of MastoWatch run, or where a newer version has changed the keys"
    one.add_argument("--force", action="store_true", help=about)
    one.set_defaults(run=_forget)
    return parser


def _add_config(group: argparse.ArgumentParser, parents: list[_Parser]) -> None:
    actions = group.add_subparsers(required=True, metavar="ACTION")
    one = actions.add_parser("show", help="what is in force, and where it came from", parents=parents)
    one.set_defaults(run=_show)
    one = actions.add_parser("check", help="whether settings, rules and secrets are usable", parents=parents)
    one.add_argument("--quiet", action="store_true", help="say only what is wrong")
    one.set_defaults(run=_check)
    one = actions.add_parser("example", help="a settings file with every default", parents=parents)
    one.set_defaults(run=_example)


def _add_rules(group: argparse.ArgumentParser, parents: list[_Parser]) -> None:
    actions = group.add_subparsers(required=True, metavar="ACTION")
    one = actions.add_parser("check", help="read the rules and run their examples", parents=parents)
    one.add_argument("directory", type=Path, nargs="?", help="instead of RULES_DIR")
    one.set_defaults(run=_rules)
    one = actions.add_parser("arm", help="let a rule that was dropped to shadow report again", parents=parents)
    one.add_argument("rule", metavar="ID|all", help="a rule's id; all: every one, and all reporting if it is paused")
    one.set_defaults(run=_rules_arm)
    as_json = _Parser(add_help=False)
    as_json.add_argument("--json", action="store_true", help="for other programs")
    parents = [*parents, as_json]
    one = actions.add_parser("explain", help="what a rule asks for, and what it has done", parents=parents)
    one.add_argument("id", metavar="ID", help="the rule's id")
    one.set_defaults(run=_rules_explain)
    one = actions.add_parser("test", help="what every rule makes of an account; changes nothing", parents=parents)
    one.add_argument("--account", required=True, metavar="ACCT", help="name, or name@its.server")
    one.add_argument("--rule", metavar="ID", help="this rule alone")
    one.set_defaults(run=_rules_test)
    one = actions.add_parser("try", help="whom a rule would report, of the accounts judged of late", parents=parents)
    one.add_argument("file", type=Path, metavar="FILE", help="the rule's file, in RULES_DIR or elsewhere")
    one.add_argument("--since", default="7d", metavar="TIME", help="how far back, like 12h; 7d if not given")
    one.set_defaults(run=_rules_try)
    one = actions.add_parser("stats", help="hits, reports, and what moderators made of them", parents=parents)
    one.set_defaults(run=_rules_stats)


def _load(sources: Sources) -> Loaded:
    from mastowatch.config.loading import read

    return read(sources)


def _load_for_process(sources: Sources) -> Loaded:
    from mastowatch.logs import set_up

    loaded = _load(sources)
    gc.enable()  # all is imported
    set_up(loaded.settings.log_level)
    return loaded


def _worker(sources: Sources, arguments: argparse.Namespace) -> int:
    from mastowatch.processes import worker

    worker.run(_load_for_process(sources), instance=arguments.instance)
    return 0


def _scheduler(sources: Sources, arguments: argparse.Namespace) -> int:
    from mastowatch.processes import scheduler

    del arguments
    scheduler.run(_load_for_process(sources))
    return 0


def _stream(sources: Sources, arguments: argparse.Namespace) -> int:
    from mastowatch.processes import stream

    del arguments
    stream.run(_load_for_process(sources))
    return 0


def _api(sources: Sources, arguments: argparse.Namespace) -> int:
    from mastowatch.processes import api

    del arguments
    api.run(_load_for_process(sources))
    return 0


def _dashboard(sources: Sources, arguments: argparse.Namespace) -> int:
    from mastowatch.processes import dashboard

    del arguments
    dashboard.run(_load_for_process(sources))
    return 0


def _show(sources: Sources, arguments: argparse.Namespace) -> int:
    from mastowatch.cli import show

    return show.run(_load(sources), arguments)


def _check(sources: Sources, arguments: argparse.Namespace) -> int:
    from mastowatch.cli import check

    return check.run(sources, arguments, complain)


def _example(sources: Sources, arguments: argparse.Namespace) -> int:
    from mastowatch.cli import example

    return example.run(_load(sources), arguments)


def _rules(sources: Sources, arguments: argparse.Namespace) -> int:
    from mastowatch.cli import rules

    return rules.run(_load(sources), arguments)


def _rules_explain(sources: Sources, arguments: argparse.Namespace) -> int:
    from mastowatch.cli import rules_explain

    return rules_explain.run(_load(sources), arguments)


def _rules_test(sources: Sources, arguments: argparse.Namespace) -> int:
    from mastowatch.cli import rules_test

    return rules_test.run(_load(sources), arguments)


def _rules_try(sources: Sources, arguments: argparse.Namespace) -> int:
    from mastowatch.cli import rules_try

    return rules_try.run(_load(sources), arguments)


def _rules_stats(sources: Sources, arguments: argparse.Namespace) -> int:
    from mastowatch.cli import rules_stats

    return rules_stats.run(_load(sources), arguments)


def _rules_arm(sources: Sources, arguments: argparse.Namespace) -> int:
    from mastowatch.cli import rules_arm

    return rules_arm.run(_load(sources), arguments)


def _panic(sources: Sources, arguments: argparse.Namespace) -> int:
    from mastowatch.cli import panic

    return panic.run(_load(sources), arguments)


def _forget(sources: Sources, arguments: argparse.Namespace) -> int:
    from mastowatch.cli import forget

    return forget.run(_load(sources), arguments)
