import pytest

from mastowatch.domain.edges import at_edges


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a casino!", "casino"),
        ("casino_bonus", "casino"),
        ("чёрный кот", "кот"),
        ("オンラインカジノで", "カジノ"),
        ("在线赌场平台", "赌场"),
        ("카지노는", "카지노"),
        ("คาสิโนออนไลน์", "คาสิโน"),
        ("यह पैसा है", "पैसा"),
        ("casinoで", "casino"),
    ],
)
def test_a_word_stands_by_itself(text, word):
    start = text.index(word)
    assert at_edges(text, start, start + len(word))


@pytest.mark.parametrize(
    ("text", "word"),
    [("casinos", "casino"), ("который", "кот"), ("किताब", "कित"), ("ecasino", "casino"), ("кот5", "кот")],
)
def test_a_part_of_a_word_is_no_word(text, word):
    start = text.index(word)
    assert not at_edges(text, start, start + len(word))
