"""The command line: one command a process, and what an admin asks or switches.

Each process is imported by its own command: a worker does without the web server's 20 MiB.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mastowatch import __version__
from mastowatch.cli import example, panic, rules, show
from mastowatch.config import Loaded, load
from mastowatch.errors import MastoWatchError
from mastowatch.logs import set_up

# A wrong setting or argument; systemd and scripts tell it from a crash.
EXIT_USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0, 1 for "no", 2 for a setting or argument that is wrong."""
    arguments = _parser().parse_args(argv)
    command: Callable[[Loaded, argparse.Namespace], int] = arguments.run
    try:
        return command(load(os.environ, getattr(arguments, "config", None), _overrides(arguments)), arguments)
    except MastoWatchError as error:
        print(f"mastowatch: {error}", file=sys.stderr)
        return EXIT_USAGE
    except BrokenPipeError:
        # `mastowatch config show | head`: nobody reads on. Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _overrides(arguments: argparse.Namespace) -> Mapping[str, str]:
    queues = getattr(arguments, "queues", None)
    return {"WORKER_QUEUES": queues} if queues else {}


def _parser() -> argparse.ArgumentParser:
    # --config may stand before the command or behind it, where people write it too.
    config = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    about = "settings, instead of /etc/mastowatch/mastowatch.env"
    config.add_argument("--config", type=Path, metavar="FILE", help=about)
    about = "Watch a Mastodon server and report by rules."
    parser = argparse.ArgumentParser(prog="mastowatch", description=about, parents=[config])
    parser.add_argument("--version", action="version", version=f"mastowatch {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("worker", help="run jobs from the queues", parents=[config])
    one.add_argument("--queues", metavar="high,default,low", help="queues to serve, most urgent first")
    one.add_argument("--instance", default="", help="name of this worker among its like")
    one.set_defaults(run=_worker)
    one = commands.add_parser("scheduler", help="put recurring jobs on the queues", parents=[config])
    one.set_defaults(run=_scheduler)
    one = commands.add_parser("api", help="serve the /jobs API", parents=[config])
    one.set_defaults(run=_api)
    one = commands.add_parser("dashboard", help="serve the pages", parents=[config])
    one.set_defaults(run=_dashboard)

    group = commands.add_parser("config", help="show: settings in force; example: a settings file")
    settings = group.add_subparsers(required=True, metavar="ACTION")
    one = settings.add_parser("show", help="what is in force, and where it came from", parents=[config])
    one.set_defaults(run=show.run)
    one = settings.add_parser("example", help="a settings file with every default", parents=[config])
    one.set_defaults(run=example.run)

    group = commands.add_parser("rules", help="check: read the rules and run their examples")
    of_rules = group.add_subparsers(required=True, metavar="ACTION")
    one = of_rules.add_parser("check", help="read the rules and run their examples", parents=[config])
    one.add_argument("directory", type=Path, nargs="?", help="instead of RULES_DIR")
    one.set_defaults(run=rules.run)

    one = commands.add_parser("panic", help="stop all work at once, or go on", parents=[config])
    one.add_argument("action", choices=("on", "off", "status"))
    one.set_defaults(run=panic.run)
    return parser


def _worker(loaded: Loaded, arguments: argparse.Namespace) -> int:
    from mastowatch.processes import worker

    set_up(loaded.settings.log_level)
    worker.run(loaded, instance=arguments.instance)
    return 0


def _scheduler(loaded: Loaded, arguments: argparse.Namespace) -> int:
    from mastowatch.processes import scheduler

    del arguments
    set_up(loaded.settings.log_level)
    scheduler.run(loaded)
    return 0


def _api(loaded: Loaded, arguments: argparse.Namespace) -> int:
    from mastowatch.processes import api

    del arguments
    set_up(loaded.settings.log_level)
    api.run(loaded)
    return 0


def _dashboard(loaded: Loaded, arguments: argparse.Namespace) -> int:
    from mastowatch.processes import dashboard

    del arguments
    set_up(loaded.settings.log_level)
    dashboard.run(loaded)
    return 0
