import pytest

from mastowatch.config import Settings
from tests.unit.packaging.programs import load

man_pages = load("man-pages")
TREE = load("command_tree.py").read()
PAGES = man_pages.pages()


def plain(page):
    return page.replace("\\-", "-").replace("\\(aq", "'").replace("\\fB", "").replace("\\fI", "").replace("\\fR", "")


def test_each_command_has_a_page_and_the_overview_names_it():
    names = {f"mastowatch-{command.words[0]}" for command in TREE.below}
    assert set(PAGES) == {f"{name}.1" for name in names} | {"mastowatch.1", "mastowatch.env.5"}
    assert {name for name in names if f"{name}(1)" not in plain(PAGES["mastowatch.1"])} == set()


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


def test_a_line_that_looks_like_a_macro_is_none():
    assert man_pages._escape(".TH is text") == r"\&.TH is text"
    assert man_pages._escape("a\\b `c-d`") == r"a\eb \fBc\-d\fR"


def test_a_command_that_may_stand_without_an_action_has_a_synopsis_of_its_own():
    page = plain(PAGES["mastowatch-jobs.1"])
    assert "mastowatch jobs recurring [--config FILE] [--json]\n" in page
    assert "mastowatch jobs recurring interval [--config FILE] [--json] TASK TIME|settings" in page
    assert "mastowatch jobs worker COMMAND" not in page
