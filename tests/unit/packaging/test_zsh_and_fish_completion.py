"""What zsh and fish offer, asked of the shells themselves; each is started once, and given all lines."""

import subprocess
from pathlib import Path

import pytest

from tests.unit.packaging.programs import load

COMPLETED = Path(__file__).with_name("completed.zsh")
TREE = load("command_tree.py").read()
COMMANDS = list(TREE.walk())


def in_zsh(lines, directory):
    (directory / "_mastowatch").write_text(load("zsh-completion").render(TREE))
    done = subprocess.run(
        ["zsh", "-f", COMPLETED, directory], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=120
    )
    assert done.stderr == ""
    answers = [part.partition("<<<")[0].split() for part in done.stdout.split(">>>")[1:]]
    return dict(zip(lines, answers, strict=True))


def in_fish(lines, directory):
    file = directory / "mastowatch.fish"
    file.write_text(load("fish-completion").render(TREE))
    (directory / "some-file").touch()
    asked = "".join(f"echo '>>>'; complete -C '{line}'\n" for line in lines)
    command = ["fish", "--no-config", "-c", f"source {file}\n{asked}"]
    environ = {"HOME": str(directory), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=directory, env=environ)
    assert done.stderr == ""
    answers = [[line.split("\t")[0] for line in part.splitlines()] for part in done.stdout.split(">>>\n")[1:]]
    return {
        line: ["FILES" if word in ("some-file", "mastowatch.fish") else word for word in words]
        for line, words in zip(lines, answers, strict=True)
    }


# Lines, and what is offered at their ends.
CASES = {
    "mastowatch da": {"dashboard"},
    "mastowatch panic o": {"on", "off"},
    "mastowatch worker --ins": {"--instance"},
    "mastowatch --config ": {"FILES"},
    "mastowatch rules check ": {"FILES"},
    "mastowatch worker --queues ": {"high", "default", "low"},
    "mastowatch --config x.env config ch": {"check"},
    "mastowatch jobs list --status f": {"failed", "finished"},
    "mastowatch jobs list --queue l": {"low"},
    "mastowatch jobs pause ": {"high", "default", "low"},
    "mastowatch jobs trigger an": {"analyze_and_maybe_report", "annotate_report"},
    "mastowatch jobs recurring pa": {"pause"},
    "mastowatch jobs recurring pause send": {"send_alerts"},
    "mastowatch jobs bulk ": {"cancel", "requeue", "delete", "run"},
    # An id is no file.
    "mastowatch jobs show ": set(),
    # A value that has the name of a command is none.
    "mastowatch --config rules jobs pause ": {"high", "default", "low"},
}


def told(command):
    return " ".join(["mastowatch", *command.words])


@pytest.fixture(scope="module", params=[in_zsh, in_fish], ids=["zsh", "fish"])
def offered(request, tmp_path_factory):
    lines = [f"{told(command)} {mark}" for command in COMMANDS for mark in ("", "-", "--")]
    return request.param([*lines, *CASES], tmp_path_factory.mktemp("completion"))


def test_commands_and_actions_are_those_of_the_parser(offered):
    for command in COMMANDS:
        if command.below:
            assert set(offered[f"{told(command)} "]) == {one.words[-1] for one in command.below}


def test_options_are_those_of_the_parser(offered):
    for command in COMMANDS:
        names = {name for option in command.options for name in option.names}
        # fish offers the short ones after one hyphen, and the long ones after either.
        found = {*offered[f"{told(command)} -"], *offered[f"{told(command)} --"]}
        assert found - {"FILES"} == names, told(command)


@pytest.mark.parametrize("line", CASES)
def test_what_is_offered_at_the_end_of_a_line(offered, line):
    words = set(offered[line])
    # zsh offers options where nothing else can stand.
    assert (words if line.split()[-1].startswith("-") else {one for one in words if one[0] != "-"}) == CASES[line]
