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
from typing import TYPE_CHECKING

from mastowatch import __version__, journal
from mastowatch.cli.cases_parser import add_cases
from mastowatch.cli.jobs_parser import add_jobs
from mastowatch.cli.parsing import Parser as _Parser
from mastowatch.cli.parsing import add as _add
from mastowatch.cli.parsing import later
from mastowatch.cli.setup.parser import add_setup
from mastowatch.errors import MastoWatchError

if TYPE_CHECKING:
    from mastowatch.config import Loaded, Sources

# A wrong setting or argument; systemd and scripts tell it from a crash.
EXIT_USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0, 1 for "no", 2 for a setting or argument that is wrong.

    A worker that was told to stop by a command ends with 3.
    """
    journal.tell_crashes()
    # A seventh of the time of a start went into looking for rubbish among what is being imported.
    gc.disable()
    try:
        parser = _parser()
        if not (sys.argv[1:] if argv is None else argv) and not journal.is_stderr():
            parser.print_help(sys.stderr)
            print("\nTo begin: mastowatch setup. Something is wrong: mastowatch doctor.", file=sys.stderr)
            return EXIT_USAGE
        arguments = parser.parse_args(argv)
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

    add_setup(commands, config)
    _add_doctor(_add(commands, "doctor", "tell what is wrong, what it means, and the command that mends it", [config]))

    one = _add(commands, "worker", "run jobs from the queues", [config, instance])
    one.add_argument("--queues", metavar="high,default,low", help="queues to serve, most urgent first")
    one.set_defaults(run=_worker)
    _add(commands, "scheduler", "put recurring jobs on the queues", [config]).set_defaults(run=_scheduler)
    about = "read the public stream of posts, and hand on those worth a look"
    _add(commands, "stream", about, [config]).set_defaults(run=_stream)
    _add(commands, "api", "serve the /jobs API, and take in Mastodon's webhooks", [config]).set_defaults(run=_api)
    about = "serve the pages with queues, jobs, workers and cases"
    _add(commands, "dashboard", about, [config]).set_defaults(run=_dashboard)

    _add_config(_add(commands, "config", "show and check the settings", []), [config, instance])
    _add_rules(_add(commands, "rules", "check, explain, test and try rules, and arm them again", []), [config])

    one = _add(commands, "panic", "stop all work at once, or go on", [config])
    about = "on: no job does anything from now on; off: work goes on; status: which it is"
    one.add_argument("action", choices=("on", "off", "status"), help=about)
    one.set_defaults(run=later("panic"))
    one = _add(commands, "dry-run", "rehearse reports from now on, or file them again", [config])
    about = "on: nothing is filed from now on; off: as DRY_RUN in the settings says; status: which it is"
    one.add_argument("action", choices=("on", "off", "status"), help=about)
    one.set_defaults(run=later("dry_run"))
    _add_pause(commands, config)
    add_cases(commands, config)
    add_jobs(_add(commands, "jobs", "see and control the jobs, queues and workers", []), config)

    _add_migrate(_add(commands, "migrate", "move from another job system", []), [config])
    about = "say who may sign in to the dashboard"
    _add_sign_in(_add(commands, "sign-in", about, []), [config])

    _add_export(commands, config)
    one = _add(commands, "forget", "delete MastoWatch's keys in Redis, and no others", [config])
    about = "delete without asking; otherwise it shows what it would delete, and asks"
    one.add_argument("--yes", action="store_true", help=about)
    about = "delete even while processes of MastoWatch run, or where a newer version has changed the keys"
    one.add_argument("--force", action="store_true", help=about)
    about = "erase what is known of the account with this id, and nothing else; processes may run"
    one.add_argument("--account", metavar="ID", help=about)
    one.set_defaults(run=_forget)
    return parser


def _add_pause(commands: argparse._SubParsersAction[_Parser], config: _Parser) -> None:
    as_json = _Parser(add_help=False)
    as_json.add_argument("--json", action="store_true", help="print JSON, for other programs")
    one = _add(
        commands, "pause", "have no worker take another job, for maintenance; what runs goes on", [config, as_json]
    )
    one.add_argument("--wait", action="store_true", help="end when nothing runs any more, and say what it waits for")
    about = "why, in a line; the dashboard shows it"
    one.add_argument("--reason", default="", metavar="TEXT", help=about)
    one.add_argument("--status", action="store_true", help="tell how it stands, and what runs; change nothing")
    one.set_defaults(run=later("pause"))
    one = _add(commands, "resume", "let workers take jobs again after a pause", [config, as_json])
    one.set_defaults(run=later("pause", "resume"))


def _add_export(commands: argparse._SubParsersAction[_Parser], config: _Parser) -> None:
    one = _add(commands, "export", "write rules, cases and audit to a file, a JSON record a line", [config])
    about = "what to write; all if not given"
    one.add_argument("what", nargs="?", default="all", choices=("rules", "cases", "audit", "all"), help=about)
    about = "cases and audit from then on, like 7d (ago) or 2026-03-01; rules are written whole"
    one.add_argument("--since", metavar="TIME", help=about)
    about = "file to write, which its owner alone may read; -, or not given: standard output"
    one.add_argument("-o", "--output", type=Path, default=Path("-"), metavar="FILE", help=about)
    one.set_defaults(run=later("export"))
    one = _add(commands, "import", "merge a file of `mastowatch export` into what is here", [config])
    one.add_argument("file", type=Path, metavar="FILE", help="the file")
    one.add_argument("--overwrite", action="store_true", help="replace rule files that differ from those in the file")
    one.add_argument("--json", action="store_true", help="print JSON, for other programs")
    either = one.add_mutually_exclusive_group()
    either.add_argument(
        "--dry-run", action="store_true", help="check the file, tell what would be done, change nothing"
    )
    either.add_argument("--yes", action="store_true", help="do it without asking")
    one.set_defaults(run=later("export", "import_file"))


def _add_doctor(one: argparse.ArgumentParser) -> None:
    from mastowatch.jobs.checks.finding import NAMES

    about = "this check alone (may be given again); all of them, if not given"
    one.add_argument("--check", action="append", choices=NAMES, metavar="NAME", help=about)
    one.add_argument("--json", action="store_true", help="print JSON, for other programs")
    one.add_argument("--quiet", action="store_true", help="say only what is not ok")
    one.set_defaults(run=_doctor)


def _add_config(group: argparse.ArgumentParser, parents: list[_Parser]) -> None:
    actions = group.add_subparsers(required=True, metavar="ACTION")
    _add(actions, "show", "show what is in force, and where it came from", parents).set_defaults(run=_show)
    one = _add(actions, "check", "tell whether settings, rules and secrets are usable", parents)
    one.add_argument("--quiet", action="store_true", help="say only what is wrong")
    one.set_defaults(run=_check)
    _add(actions, "example", "print a settings file with every default", []).set_defaults(run=_example)


def _add_rules(group: argparse.ArgumentParser, parents: list[_Parser]) -> None:
    actions = group.add_subparsers(required=True, metavar="ACTION")
    as_json = _Parser(add_help=False)
    as_json.add_argument("--json", action="store_true", help="print JSON, for other programs")
    both = [*parents, as_json]
    one = _add(actions, "check", "read the rules and run their examples", parents)
    one.add_argument("directory", type=Path, nargs="?", help="directory to read, instead of RULES_DIR")
    one.set_defaults(run=_rules)
    one = _add(actions, "explain", "tell in plain words what a rule asks for, and what it has done", both)
    one.add_argument("id", metavar="ID", help="the rule's id")
    one.set_defaults(run=_rules_explain)
    one = _add(actions, "test", "tell what every rule makes of an account; changes nothing", both)
    one.add_argument("--account", required=True, metavar="ACCT", help="name, or name@its.server")
    one.add_argument("--rule", metavar="ID", help="this rule alone")
    one.set_defaults(run=_rules_test)
    one = _add(actions, "try", "tell whom a rule would report, of the accounts judged of late", both)
    one.add_argument("file", type=Path, metavar="FILE", help="the rule's file, in RULES_DIR or elsewhere")
    one.add_argument("--since", default="7d", metavar="TIME", help="how far back, like 12h; 7d if not given")
    one.set_defaults(run=_rules_try)
    one = _add(actions, "stats", "list hits, reports, and what moderators made of them", both)
    one.set_defaults(run=_rules_stats)
    one = _add(actions, "arm", "let a rule that was dropped to shadow report again", parents)
    one.add_argument("rule", metavar="ID|all", help="a rule's id; all: every one, and all reporting if it is paused")
    one.set_defaults(run=_rules_arm)


def _add_migrate(group: argparse.ArgumentParser, parents: list[_Parser]) -> None:
    actions = group.add_subparsers(required=True, metavar="FROM")
    one = _add(actions, "celery", "move what Celery left in its Redis to our queues", parents)
    about = "Celery's Redis, like redis://localhost:6379/0, without a password"
    one.add_argument("--broker", required=True, metavar="URL", help=about)
    one.add_argument("--broker-password-file", type=Path, metavar="FILE", help="file with its password")
    one.add_argument("--dry-run", action="store_true", help="tell what would be done, and change nothing")
    about = "this queue alone (may be given again); all that Celery has, if not given"
    one.add_argument("--queue", action="append", default=[], metavar="NAME", help=about)
    one.add_argument("--prefix", default="", metavar="TEXT", help="Celery's global_keyprefix, if it has one")
    about = "what a task of Celery's is here (may be given again)"
    one.add_argument("--map", action="append", default=[], metavar="CELERY.NAME=TASK", help=about)
    about = "file for what is not ours or can't be read; ./celery-left-over.jsonl if not given"
    one.add_argument("--unknown", type=Path, default=Path("celery-left-over.jsonl"), metavar="FILE", help=about)
    about = "do it though clients wait on Celery's database: they are others"
    one.add_argument("--celery-is-stopped", action="store_true", help=about)
    one.add_argument("--keep", action="store_true", help="keep the keys that Celery leaves behind")
    one.add_argument("--json", action="store_true", help="print JSON, for other programs")
    one.set_defaults(run=_migrate_celery)


def _add_sign_in(group: argparse.ArgumentParser, parents: list[_Parser]) -> None:
    actions = group.add_subparsers(required=True, metavar="ACTION", dest="action")
    about = "register the dashboard with the Mastodon server, whose roles then say who may do what"
    _add(actions, "mastodon", about, parents).set_defaults(run=_sign_in)
    about = "let somebody sign in by a password, or change it; asks for it twice, or reads it from standard input"
    one = _add(actions, "password", about, parents)
    one.add_argument("name", metavar="NAME", help="letters, digits, and _ . - inside")
    about = "read: look; act: cancel and queue jobs, stop all work; switch: all the rest"
    one.add_argument("--role", required=True, choices=("read", "act", "switch"), help=about)
    one.set_defaults(run=_sign_in)
    _add(actions, "list", "list who may sign in", parents).set_defaults(run=_sign_in)
    one = _add(actions, "remove", "let somebody sign in by a password no more", parents)
    one.add_argument("name", metavar="NAME", help="the name that was given")
    one.set_defaults(run=_sign_in)


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

    return worker.run(_load_for_process(sources), instance=arguments.instance)


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


def _migrate_celery(sources: Sources, arguments: argparse.Namespace) -> int:
    from mastowatch.cli import migrate_celery

    return migrate_celery.run(_load(sources), arguments)


def _doctor(sources: Sources, arguments: argparse.Namespace) -> int:
    from mastowatch.cli import doctor

    return doctor.run(sources, arguments)


def _forget(sources: Sources, arguments: argparse.Namespace) -> int:
    from mastowatch.cli import forget

    return forget.run(_load(sources), arguments)


def _sign_in(sources: Sources, arguments: argparse.Namespace) -> int:
    from mastowatch.cli import sign_in

    return sign_in.run(sources, arguments)
