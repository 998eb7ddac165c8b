import pytest

from mastowatch.cli import main


def shown(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "about"),
    [
        (["worker"], "Run jobs from the queues."),
        (["rules", "test"], "Tell what every rule makes of an account; changes nothing."),
        (["panic"], "off: work goes on"),
    ],
)
def test_the_help_of_a_command_says_what_the_command_is_for(capsys, monkeypatch, words, about):
    monkeypatch.setenv("COLUMNS", "200")
    assert about in shown(capsys, *words)


def test_without_a_command_the_help_is_shown_and_how_to_begin(capsys):
    assert main([]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "COMMAND" in told.err
    assert told.err.endswith("To begin: mastowatch setup. Something is wrong: mastowatch doctor.\n")
