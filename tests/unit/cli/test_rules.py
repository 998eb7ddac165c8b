from pathlib import Path

from mastowatch.cli.rules import check
from mastowatch.errors import RuleError
from tests.rules import document


def checked(capsys, *documents, errors=()):
    status = check(lambda _: ([*documents], [*errors]), Path("rules.d"))
    return status, *capsys.readouterr()


def test_good_rules_are_listed_with_their_examples(capsys):
    status, out, err = checked(capsys, ("a.toml", document()), ("b.toml", document(id="two", mode="off")))
    assert (status, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["one", "report", "weight", "5.0", "examples", "2/2", "a.toml"]
    assert lines[1][:2] == ["two", "off"]
    assert out.endswith("2 rules, all well\n")


def test_a_failing_example_is_a_fault(capsys):
    status, out, err = checked(capsys, ("a.toml", document(status={"words": ["poker"]})))
    assert status == 1
    assert "examples 1/2" in out
    assert "a.toml: examples.match[1]: should match and does not (" in err


def test_every_fault_is_told_and_the_good_rules_are_listed_all_the_same(capsys):
    status, out, err = checked(
        capsys,
        ("a.toml", document()),
        ("b.toml", document()),
        ("c.toml", document(id="c", weight=0)),
        errors=[RuleError("d.toml", "", "is not TOML")],
    )
    assert status == 1
    assert [line.partition(":")[0] for line in err.splitlines()] == ["d.toml", "c.toml", "b.toml"]
    assert out.startswith("one ")
    assert "3 faults" in out
