"""Each link in the documents leads somewhere, each page is in the index, and each file that is named is there."""

import itertools
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
INDEX = DOCS / "README.md"
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "packaging").rglob("*.md")]
    if path.name != "VENDORED.md"
)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def prose(page):
    """Return a page without its blocks of code and its code."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`]*`", "", text)


def anchors(page):
    """Return the anchors of a page's headings, as GitHub makes them."""
    found = {}
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#{1,6} +(.*)$", text, re.MULTILINE):
        words = LINK.sub("", heading) if heading.startswith("!") else re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", words.strip().lower()).replace(" ", "-")
        times = found.get(slug, 0)
        found[slug] = times + 1
        if times:
            found[f"{slug}-{times}"] = 1
    return set(found) | set(re.findall(r'<a (?:id|name)="([^"]+)"', page.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_leads_somewhere(page):
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    broken = []
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            assert target.startswith(("https://", "mailto:")), target
            continue
        path, _, anchor = target.partition("#")
        to = (page.parent / path).resolve() if path else page
        # Outside of the tree nothing is there for everybody.
        is_there = to.exists() and ROOT in [to, *to.parents]
        if not is_there or (anchor and (to.suffix != ".md" or anchor not in anchors(to))):
            broken.append(target)
    assert broken == []


def test_each_page_is_in_the_index_once():
    linked = [(INDEX.parent / target).resolve() for target in LINK.findall(prose(INDEX))]
    pages = [path for path in DOCS.rglob("*.md") if path != INDEX]
    assert [str(path.relative_to(DOCS)) for path in pages if path not in linked] == []


def test_each_page_begins_with_one_title_and_skips_no_level():
    for page in PAGES:
        text = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        levels = [len(marks) for marks in re.findall(r"^(#{1,6}) ", text, re.MULTILINE)]
        assert levels[:1] == [1], page
        assert levels.count(1) == 1, page
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), page


# What is made when the tests or a build run, or lies on an installed machine.
MADE = re.compile(r"^(dist|build|\.venv[\w-]*|htmlcov)(/|$)")
NAMED = re.compile(r"`((?:mastowatch|tests|packaging|benchmarks|docs|debian|systemd|etc|\.ci)/[\w@./-]*[\w/])`(?!\()")


def test_files_of_the_tree_that_a_document_names_are_there():
    missing = {}
    for page in PAGES:
        if page.name == "CHANGELOG.md":
            continue  # tells of what was
        for name in NAMED.findall(page.read_text()):
            if not MADE.match(name) and not (ROOT / name).exists() and not list(ROOT.glob(f"{name}*")):
                missing.setdefault(str(page.relative_to(ROOT)), []).append(name)
    assert missing == {}


def test_the_dependencies_that_are_explained_are_those_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    rows = re.findall(
        r"^\| ([a-z0-9][^|]*) \| (.*) \|", (DOCS / "explanation/dependencies.md").read_text(), re.MULTILINE
    )
    explained = {name.strip(): told for names, told in rows for name in re.split(r", ", names)}
    wanted = [
        *project["project"]["dependencies"],
        *project["dependency-groups"]["dev"],
        *project["build-system"]["requires"],
    ]
    names = {re.match(r"[a-zA-Z0-9_.-]+", one)[0] for one in wanted}
    debian = re.search(
        r"^    for command in ([^;]*); do", (ROOT / "packaging/install-debian-packages").read_text(), re.MULTILINE
    )
    programs = re.search(
        r"^    for program in ([^;]*); do", (ROOT / "packaging/install-debian-packages").read_text(), re.MULTILINE
    )
    names |= {*debian[1].replace("systemd-analyze", "systemd").split(), *programs[1].split(), "python3-venv"}
    assert {"without a reason": names - explained.keys(), "gone": explained.keys() - names - {"package"}} == {
        "without a reason": set(), "gone": set(),
    }  # fmt: skip
    assert [name for name, told in explained.items() if not told.strip(" |")] == []
