import shlex
import subprocess

import pytest

from tests.unit.packaging.programs import load

# What bash-completion's own _init_completion sets; that package is not needed for it.
BASH = """\
_init_completion() { words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=${words[cword]}; prev=${words[cword-1]}; }
_filedir() { COMPREPLY+=(FILES); }
complete() { :; }
"""


@pytest.fixture(scope="module")
def script():
    program = load("bash-completion")
    tree = load("command_tree.py").read()
    return tree, program.render(tree)


def completed(script, *words):
    line = f"COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1}\n"
    asked = f"{BASH}{script[1]}{line}_mastowatch\nprintf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash", "-euc", asked], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_commands_and_actions_are_those_of_the_parser(script):
    for command in script[0].walk():
        if command.below:
            below = [one.words[-1] for one in command.below]
            assert completed(script, "mastowatch", *command.words, "") == below


def test_options_are_those_of_the_parser(script):
    for command in script[0].walk():
        names = [name for option in command.options for name in option.names]
        assert completed(script, "mastowatch", *command.words, "-") == names


def test_a_beginning_narrows_it_down(script):
    assert completed(script, "mastowatch", "da") == ["dashboard"]
    assert completed(script, "mastowatch", "panic", "o") == ["on", "off"]
    assert completed(script, "mastowatch", "worker", "--ins") == ["--instance"]


def test_values_of_options_and_operands_are_files_or_choices(script):
    assert completed(script, "mastowatch", "--config", "") == ["FILES"]
    assert completed(script, "mastowatch", "rules", "check", "") == ["FILES"]
    assert completed(script, "mastowatch", "setup", "--access-token-file", "") == ["FILES"]
    assert completed(script, "mastowatch", "worker", "--queues", "") == ["high", "default", "low"]


def test_options_before_the_command_do_not_hide_it(script):
    assert "check" in completed(script, "mastowatch", "--config", "x.env", "config", "")


def test_statuses_queues_and_tasks_are_offered(script):
    assert completed(script, "mastowatch", "jobs", "list", "--status", "f") == ["failed", "finished"]
    assert completed(script, "mastowatch", "jobs", "list", "--queue", "") == ["high", "default", "low"]
    assert completed(script, "mastowatch", "jobs", "pause", "") == ["high", "default", "low"]
    assert completed(script, "mastowatch", "jobs", "trigger", "an") == ["analyze_and_maybe_report", "annotate_report"]
    assert completed(script, "mastowatch", "jobs", "recurring", "pa") == ["pause"]
    assert completed(script, "mastowatch", "jobs", "recurring", "pause", "send") == ["send_alerts"]
    assert completed(script, "mastowatch", "jobs", "bulk", "") == ["cancel", "requeue", "delete", "run"]


def test_an_id_is_no_file(script):
    assert completed(script, "mastowatch", "jobs", "show", "") == []
    assert "FILES" in completed(script, "mastowatch", "rules", "try", "")
