from pathlib import Path

from mastowatch.cli.rules import check
from mastowatch.errors import RuleError
from mastowatch.jobs.context import read_rule_documents
from tests.rules import document


def checked(capsys, *documents, errors=()):
    status = check(lambda _: ([*documents], {}, [*errors]), Path("rules.d"))
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


def test_all_faults_of_one_file_are_told_and_a_list_is_named_with_its_line(tmp_path, capsys):
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "shops.txt").write_text(
        "# fake shops\nshop.example # the worst\n\nnot a host\nhttps://x.example\n"
    )
    (tmp_path / "a.toml").write_text(
        'id = "A"\nweight = 0\nfoo = 1\n[status]\nlinks_min = "2"\nhosts_file = "shops.txt"\nwords_file = "shop.txt"\n'
    )
    assert check(read_rule_documents, tmp_path) == 1
    out, err = capsys.readouterr()
    assert [line.partition(": ")[2].partition(": ")[0] for line in err.splitlines()] == [
        "foo",
        "id",
        "name",
        "description",
        "weight",
        "status.links_min",
        "line 4",
        "line 5",
        "status.words_file",
    ]
    assert "lists/shops.txt: line 4: 'not a host' is not a host name" in err
    assert "did you mean shops.txt?" in err
    assert "0 rules, 9 faults" in out


def test_every_refused_pattern_of_a_rule_is_told(capsys):
    two = document(
        status={"pattern": "(?=a)"}, account={"bio_pattern": "(?<=a)"}, **{"not": {"status": {"pattern": "a**"}}}
    )
    status, out, err = checked(capsys, ("a.toml", two))
    assert status == 1
    assert [line.split(": ")[1] for line in err.splitlines()] == [
        "account.bio_pattern",
        "status.pattern",
        "not.status.pattern",
    ]
    assert "examples not run" in out


def test_a_rule_is_not_blamed_for_the_faults_of_one_that_it_looks_at(capsys):
    whole = document(id="whole", status=None, requires=["one"])
    status, out, err = checked(capsys, ("a.toml", document(weight=0)), ("b.toml", whole), ("c.toml", document(id="c")))
    assert status == 1
    assert [line.split(": ")[:2] for line in err.splitlines()] == [["a.toml", "weight"]]
    assert "examples not run" in next(line for line in out.splitlines() if line.startswith("whole"))
    assert "examples 2/2" in next(line for line in out.splitlines() if line.startswith("c "))


def test_a_broken_example_is_told_with_all_that_is_wrong_with_it(capsys):
    bad = {"posts": [{"text": 1, "mentions": -1}], "age": "old", "campaign_accounts": 0}
    _, _, err = checked(capsys, ("a.toml", document(examples={"match": [bad], "no_match": [{}]})))
    assert len(err.splitlines()) == 4
