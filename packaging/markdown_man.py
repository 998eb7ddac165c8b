"""Turns a page of docs/ into the source of a manual page: what Markdown is used for there, and no more.

Headings, paragraphs, lists, tables, blocks of code, code, emphasis and links. A table's first column becomes the term,
the others what is told of it, with the column's heading before each where there are more than two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_CODE = re.compile(r"(`[^`]+`)")
_LINK = re.compile(r"\[([^\]]*)\]\(([^)]*)\)")
_STRONG = re.compile(r"\*\*([^*]+)\*\*")
_EMPHASIS = re.compile(r"(?<![\w*])[*_]([^*_]+)[*_](?![\w*])")
_LITERAL = re.compile(r"\\([*_`\[\]])")
_PRIVATE = 0xE000  # where no text has characters
_ITEM = re.compile(r"^(\s*)(?:[-*]|[0-9]+\.) +(.*)$")
# A word of code that is longer may be broken behind these, or it would stand over the edge of the page.
_LONG = 40
_BREAKS = re.compile(r"([/:=,])(?=[^\s])")
_ESCAPES = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "^": r"\(ha", "~": r"\(ti", "`": r"\(ga"}


def escape(text: str) -> str:
    """Return ``text`` so that each of its characters is printed, and none is a request."""
    shown = "".join(_ESCAPES.get(one, one) for one in text)
    return rf"\&{shown}" if shown[:1] == "." else shown


def inline(text: str) -> str:
    """Return a text with code and emphasis as fonts, and of links their words and where they lead."""
    shown = "".join(
        rf"\fB{_breakable(part[1:-1])}\fR" if _CODE.fullmatch(part) else _plain(part)
        for part in _CODE.split(_links(text.strip()))
    )
    return rf"\&{shown}" if shown[:1] in (".", "'") else shown


def body(markdown: str) -> list[str]:
    """Return the lines below a page's title; the text before its first heading is the DESCRIPTION."""
    lines = [".SH DESCRIPTION"]
    for kind, block in _blocks(markdown.splitlines()):
        lines += _WRITE[kind](block)
    return lines


def title(markdown: str) -> str:
    """Return the page's first heading."""
    return next(line[2:].strip() for line in markdown.splitlines() if line.startswith("# "))


def _breakable(code: str) -> str:
    shown = escape(code)
    return _BREAKS.sub(r"\1\\:", shown) if max(map(len, code.split()), default=0) > _LONG else shown


def _links(text: str) -> str:
    """Return the text with the words of links, and behind them where they lead: an address, or the page's file name."""

    def words(found: re.Match[str]) -> str:
        target = found[2] if found[2].startswith("http") else found[2].partition("#")[0].rpartition("/")[2]
        return found[1] if target in ("", found[1]) else f"{found[1]} ({target})"

    return _LINK.sub(words, text)


def _plain(text: str) -> str:
    # What a backslash stands before is meant as it is, whatever it would begin.
    shown = _LITERAL.sub(lambda found: chr(_PRIVATE + ord(found[1])), text)
    shown = _STRONG.sub("\x01\\1\x03", shown)
    shown = _EMPHASIS.sub("\x02\\1\x03", shown)
    shown = re.sub(f"[{chr(_PRIVATE)}-{chr(_PRIVATE + 127)}]", lambda found: chr(ord(found[0]) - _PRIVATE), shown)
    return escape(shown).replace("\x01", r"\fB").replace("\x02", r"\fI").replace("\x03", r"\fR")


def _blocks(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield kind and lines of each block."""
    at = 0
    while at < len(lines):
        line, first = lines[at], at
        if not line.strip() or line.startswith(("# ", "![", "<!--")):
            at += 1
        elif line.lstrip().startswith("```"):
            at = next(end for end in range(at + 1, len(lines)) if lines[end].strip() == "```") + 1
            yield "code", lines[first + 1 : at - 1]
        elif line.startswith("#"):
            at += 1
            yield "heading", [line]
        elif line.startswith("|"):
            at = _end(lines, at, lambda one: one.startswith("|"))
            yield "table", lines[first:at]
        elif _ITEM.match(line):
            at = _end(lines, at, lambda one: bool(one.strip()) and not one.lstrip().startswith("```"))
            yield "list", lines[first:at]
        else:
            at = _end(lines, at, lambda one: bool(one.strip()) and not one.startswith(("```", "|", "#")))
            yield "text", lines[first:at]


def _end(lines: list[str], at: int, goes_on) -> int:  # type: ignore[no-untyped-def]  # noqa: ANN001
    while at < len(lines) and goes_on(lines[at]):
        at += 1
    return at


def _heading(block: list[str]) -> list[str]:
    marks, _, words = block[0].partition(" ")
    shown = words.replace("`", "")
    return [f".SH {escape(shown.upper())}" if marks == "##" else f".SS {escape(shown)}"]


def _paragraph(block: list[str]) -> list[str]:
    return [".PP", inline(" ".join(line.strip() for line in block))]


def _code(block: list[str]) -> list[str]:
    indent = min((len(line) - len(line.lstrip()) for line in block if line.strip()), default=0)
    # An empty line between two requests is one; mandoc asks for a request of its own.
    shown = [escape(line[indent:]) if line.strip() else r"\&" for line in block]
    return [".PP", ".RS 4", ".nf", *shown, ".fi", ".RE"]


def _list(block: list[str]) -> list[str]:
    items: list[list[str]] = []
    for line in block:
        found = _ITEM.match(line)
        if found:
            items.append([found[2]])
        else:
            items[-1].append(line.strip())
    return [line for item in items for line in (r".IP \(bu 2", inline(" ".join(item)))]


def _cells(row: str) -> list[str]:
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", row.strip().strip("|"))]


def _table(block: list[str]) -> list[str]:
    names = _cells(block[0])
    lines = []
    for row in block[2:]:
        term, *told = _cells(row)
        if len(told) == 1:
            text = told[0]
        else:
            pairs = zip(names[1:], told, strict=True)
            text = " ".join(f"{_sentence(name)}: {cell.rstrip('.')}." for name, cell in pairs if cell.strip("`"))
        lines += [".TP", inline(term), inline(text) or r"\&"]
    return lines


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


_WRITE = {"heading": _heading, "text": _paragraph, "code": _code, "list": _list, "table": _table}
