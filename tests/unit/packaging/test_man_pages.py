import ast
import contextlib
import io
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from mastowatch.cli import _parser
from mastowatch.config import Settings
from mastowatch.config.loading import CREDENTIALS, SECRETS
from tests.unit.packaging.programs import load

ROOT = Path(__file__).parents[3]
man_pages = load("man-pages")
markdown_man = load("markdown_man.py")
TREE = load("command_tree.py").read()
PAGES = man_pages.pages()
MANUAL = man_pages.manual()
COMMANDS = {" ".join(one.words): one for one in TREE.walk() if one.words}
FORMATS = {
    "mastowatch.env.5",
    *(f"{name}.{section}" for name, section, page, *_ in man_pages.FROM_DOCS
      if (ROOT / "docs/reference" / page).is_file()),
}  # fmt: skip
# A page of Debian's that ours name.
DEBIANS = {"systemctl(1)", "journalctl(1)", "systemd.exec(5)", "jq(1)"}


def plain(page):
    for coded, shown in (("\\-", "-"), ("\\(aq", "'"), ("\\(ti", "~"), ("\\(ha", "^"), ("\\(ga", "`"), ("\\:", "")):
        page = page.replace(coded, shown)
    return re.sub(r"\\f[BIR]", "", page)


def test_each_command_each_action_and_each_format_has_a_page_and_the_overview_names_it():
    pages = {f"mastowatch-{'-'.join(one.words)}.1" for one in COMMANDS.values() if one.alone or len(one.words) == 1}
    assert set(PAGES) == {*pages, *FORMATS, "mastowatch.1"}
    told = [f"mastowatch-{one.words[0]}(1)" for one in TREE.below] + [f"{name[:-2]}({name[-1]})" for name in FORMATS]
    assert [name for name in told if name not in plain(PAGES["mastowatch.1"])] == []


def test_what_a_group_can_do_is_named_with_its_page():
    page = plain(PAGES["mastowatch-jobs.1"])
    assert "mastowatch-jobs-list(1)" in page
    assert "mastowatch-jobs-recurring-pause(1)" in page


def test_no_page_has_a_fault(tmp_path):
    man_pages.main(tmp_path)
    pages = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert len(pages) == len(PAGES)
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True)
    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize("words", [words for words, one in COMMANDS.items() if one.alone])
def test_a_command_has_examples_that_its_parser_takes(words):
    """A command without an entry needs one in packaging/manual.toml."""
    examples = MANUAL[words]["examples"]
    assert examples
    for _, line in examples:
        ours = [part for part in re.split(r"\|\||&&|[|;]", line) if part.split()[0] == "mastowatch"]
        assert ours, line
        for part in ours:
            # argparse says on stderr what is wrong, and ends.
            with contextlib.redirect_stderr(io.StringIO()) as said:
                try:
                    _parser().parse_args(shlex.split(part)[1:])
                except SystemExit:
                    pytest.fail(f"{line}: {said.getvalue()}")
    assert any(f"mastowatch {words}" in line for _, line in examples)


def test_the_manual_has_no_entry_for_what_is_no_command():
    assert set(MANUAL) <= set(COMMANDS)


def test_files_that_a_page_names_are_ones_that_there_are():
    named = {name for entry in MANUAL.values() for name in entry.get("files", ())}
    assert named <= {*man_pages.FILES, *SECRETS}
    assert str(CREDENTIALS) + "/" == man_pages.CREDENTIALS


def test_a_page_that_another_names_is_there():
    for name, page in PAGES.items():
        named = set(re.findall(r"[a-z][a-z.-]*\([1578]\)", plain(page[page.index(".SH SEE ALSO") :])))
        missing = {one for one in named - DEBIANS if f"{one[:-3]}.{one[-2]}" not in PAGES}
        assert missing - {"mastowatch-export(1)"} == set(), name


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda one: " ".join(one.words))
def test_a_page_of_an_action_tells_each_option_and_operand(command):
    if not command.alone:
        return
    page = plain(PAGES[f"mastowatch-{'-'.join(command.words)}.1"])
    told = [name for option in command.options for name in option.names]
    assert [name for name in [*told, *(one.value for one in command.operands)] if name not in page] == []
    assert all(f".SH {title}\n" in page for title in ("EXIT STATUS", "FILES", "EXAMPLES", "SEE ALSO"))


@pytest.mark.parametrize("command", [one for one in TREE.walk() if one.words], ids=lambda one: " ".join(one.words))
def test_a_page_tells_each_option_and_operand_of_its_command(command):
    page = plain(PAGES[f"mastowatch-{command.words[0]}.1"])
    told = [name for option in command.options for name in option.names]
    told += [operand.value for operand in command.operands]
    assert [name for name in told if name not in page] == []
    assert " ".join(["mastowatch", *command.words]) in page


def test_a_synopsis_has_in_brackets_what_may_be_left_out_and_nothing_else():
    page = plain(PAGES["mastowatch-rules.1"])
    assert "mastowatch rules test [--config FILE] [--json] --account ACCT [--rule ID]" in page
    assert "mastowatch rules check [--config FILE] [DIRECTORY]" in page


def test_a_synopsis_has_dots_behind_what_may_be_given_again():
    page = plain(PAGES["mastowatch-jobs.1"])
    assert "mastowatch jobs cancel [--config FILE] [--json] ID ...\n" in page
    assert "mastowatch jobs trigger [--config FILE] [--json] TASK [NAME=VALUE] ...\n" in page
    assert " [--queue NAME] ... " in plain(PAGES["mastowatch-migrate.1"])


def test_the_worker_alone_has_a_status_for_being_told_to_stop():
    assert [name for name, page in PAGES.items() if "told to stop, by a command" in plain(page)] == [
        "mastowatch-worker.1"
    ]


def test_texts_are_for_commands_that_exist_and_each_command_has_one():
    assert set(man_pages.MORE) == {command.words[0] for command in TREE.below}


def test_no_command_has_two_texts_of_which_the_first_would_be_lost():
    tree = ast.parse((ROOT / "packaging/man-pages").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            keys = [one.value for one in node.keys if isinstance(one, ast.Constant)]
            assert len(keys) == len(set(keys)), keys
    assert "--overwrite is given" in plain(PAGES["mastowatch-import.1"])


def test_each_setting_stands_in_the_page_with_default_and_limits():
    page = plain(PAGES["mastowatch.env.5"])
    for name, default, allowed, about in Settings.table():
        entry = page[page.index(f".TP\n{name}\n") :].split(".TP\n")[1]
        told = [about, f"Allowed: {allowed}.", f"Default: {default}." if default else "Default: empty."]
        assert [text for text in told if text.replace("`", "") not in entry] == [], name


def test_what_an_admin_has_beside_the_settings_is_told():
    assert "worker@N.env" in plain(PAGES["mastowatch-worker.1"])
    assert "config check" in plain(PAGES["mastowatch.env.5"])
    assert "/run/mastowatch/api.sock" in plain(PAGES["mastowatch.1"])


def test_pages_of_formats_have_every_row_of_the_document():
    for name, section, source, *_ in man_pages.FROM_DOCS:
        path = ROOT / "docs" / "reference" / source
        if not path.is_file():
            continue
        page = plain(PAGES[f"{name}.{section}"])
        rows = re.findall(r"^\| `([^`|]+)`", path.read_text(), re.MULTILINE)
        assert [row for row in rows if row not in page] == [], name


def test_markdown_becomes_what_it_means():
    text = "# T\n\nSee `a-b` and [this](x.md#y), **now** \\*.\n\n- one\n  more\n- .two\n\n"
    text += "```sh\nls -l\n\n.x\n```\n\n## Next\n"
    assert markdown_man.body(text) == [
        ".SH DESCRIPTION", ".PP", r"See \fBa\-b\fR and this (x.md), \fBnow\fR *.",
        r".IP \(bu 2", "one more", r".IP \(bu 2", r"\&.two",
        ".PP", ".RS 4", ".nf", r"ls \-l", r"\&", r"\&.x", ".fi", ".RE", ".SH NEXT",
    ]  # fmt: skip
    table = "| name | a | b |\n|---|---|---|\n| `x` | one | two... |\n| y | | p\\|q |\n"
    assert markdown_man.body(table)[1:] == [
        ".TP", r"\fBx\fR", "A: one. B: two.", ".TP", "y", "B: p|q.",
    ]  # fmt: skip


def test_a_long_example_is_broken_before_options_and_stays_the_same_command():
    (line,) = [one for _, one in MANUAL["setup"]["examples"] if "--access-token-file" in one]
    typed = man_pages._typed(line)
    assert len(typed) > 1
    assert max(map(len, typed)) <= 72
    assert shlex.split("\n".join(typed).replace("\\\n", "")) == shlex.split(line)
    assert man_pages._typed("mastowatch jobs queues") == ["mastowatch jobs queues"]


def test_a_line_that_looks_like_a_macro_is_none():
    assert man_pages._escape(".TH is text") == r"\&.TH is text"
    assert man_pages._escape("a\\b `c-d`") == r"a\eb \fBc\-d\fR"


def test_a_command_that_may_stand_without_an_action_has_a_synopsis_of_its_own():
    page = plain(PAGES["mastowatch-jobs.1"])
    assert "mastowatch jobs recurring [--config FILE] [--json]\n" in page
    assert "mastowatch jobs recurring interval [--config FILE] [--json] TASK TIME|settings" in page
    assert "mastowatch jobs worker COMMAND" not in page
