"""Each command that a document shows with what it prints is run by a test, and how such blocks are read."""

from __future__ import annotations

import re

import pytest

from tests import documented
from tests.documented import Printed, Walk, difference

PAGE = """# A page

```sh
$ not this one
```

## First

1. Do:

   ```console
   # one \\
     --more
   all
   ...
   well
   $ two <<'END'
   # of two
   END
   ```

## Second

```console
# three
```
"""


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.setattr(documented, "ROOT", tmp_path)
    (tmp_path / "page.md").write_text(PAGE)
    return "page.md"


def test_the_commands_of_a_page_are_read_with_what_they_print(page):
    found = [(one.line, one.section, one.user, one.command, one.shown) for one in documented.steps(page)]
    assert found == [
        (12, "First", "root", "one \\\n  --more", "all\n...\nwell\n"),
        (17, "First", "anybody", "two <<'END'\n# of two\nEND", ""),
        (25, "Second", "root", "three", ""),
    ]


def test_a_block_that_begins_with_no_command_is_refused(page, tmp_path):
    (tmp_path / page).write_text("# A page\n\n```console\nls\n```\n")
    with pytest.raises(ValueError, match=r"page\.md:4"):
        documented.steps(page)


def test_what_was_printed_is_held_against_the_page():
    shown = "job  ...  3 jobs\n...\nall …; well\n"
    assert difference(shown, "job   x y  3   jobs\nall in time; well\n") == ""
    assert difference(shown, "job 3 jobs \nanything\n\nall ; well\n") == ""
    assert "not met: all" in difference(shown, "job 3 jobs\nnothing\n")
    assert "not met: job" in difference(shown, "a job 3 jobs\nall; well\n")
    assert "prints more" in difference("one\n", "one\ntwo\n")
    assert "-one two\n+onetwo" in difference("one two\n", "onetwo\n")
    assert difference("", "") == ""
    assert difference("", "error\n")


def test_a_walk_runs_each_command_and_knows_what_is_left(page):
    asked = []
    printed = {"one": "all\nx\nwell\n", "two": "", "three": ""}

    def run(command, user, given):
        asked.append((command.split()[0], user, given))
        return Printed(0, printed[asked[-1][0]])

    walk = Walk(run, {"all": "all"}, {"two": "a secret"})
    walk.page(page, "First")
    assert walk.left(page) == ["page.md:25: three"]
    walk.page(page, "Second")
    assert walk.left(page) == []
    assert asked == [("one", "root", ""), ("two", "anybody", "a secret"), ("three", "root", "")]


@pytest.mark.parametrize("answer", [Printed(0, "bad\n"), Printed(1, "all\nwell\n")])
def test_another_output_fails_and_so_does_a_command_that_did_not_work(page, answer):
    with pytest.raises(AssertionError, match=r"page\.md:12: one"):
        Walk(lambda *_: answer).page(page)


def test_a_name_of_the_page_stands_for_one_of_the_test(page, tmp_path):
    (tmp_path / page).write_text("```console\n# ask https://its.example\nhttps://its.example/ answers\n```\n")
    asked = []

    def run(command, *_):
        asked.append(command)
        return Printed(0, "http://127.0.0.1:3000/ answers\n")

    Walk(run, {"https://its.example": "http://127.0.0.1:3000"}).page(page)
    assert asked == ["ask http://127.0.0.1:3000"]


def test_a_command_that_only_looks_is_typed_again_and_may_tell_of_a_fault(page, tmp_path):
    (tmp_path / page).write_text("```console\n# systemctl status x\nfailed\n```\n")
    answers = [Printed(0, "active\n"), Printed(3, "failed\n")]
    Walk(lambda *_: answers.pop(0)).page(page)
    assert answers == []


PAGES = documented.pages()


@pytest.mark.parametrize("page", PAGES)
def test_what_a_document_shows_with_its_output_is_run(page):
    if not documented.steps(page):
        assert page not in documented.RUN_BY, "it has no console block any longer"
        return
    assert page in documented.RUN_BY, "its console blocks are run by no test: see RUN_BY in tests/documented.py"
    test = documented.ROOT / documented.RUN_BY[page]
    assert page.removeprefix("docs/") in test.read_text(), f"{test} does not name {page}"


@pytest.mark.parametrize("page", PAGES)
def test_no_other_block_has_a_prompt(page):
    prompts = [text for kind, text in documented.blocks(page) if kind != "console" and re.search(r"(?m)^ *\$ ", text)]
    assert prompts == [], "what is typed at a prompt belongs into a console block, or stands there without the prompt"


def test_no_page_is_listed_that_is_not_there():
    assert set(documented.RUN_BY) <= set(PAGES)
