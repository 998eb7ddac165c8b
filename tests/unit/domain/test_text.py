import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastowatch.domain.text import TEXT_MAX, fold, read_html


@pytest.mark.parametrize(
    ("disguised", "plain"),
    [
        ("\u0421asino", "casino"),
        ("\u1d04\u1d00\ua731\u026a\u0274\u1d0f", "casino"),
        ("\uff43\uff41\uff53\uff49\uff4e\uff4f", "casino"),
        ("\U0001d41c\U0001d41a\U0001d42c\U0001d422\U0001d427\U0001d428", "casino"),
        ("ca\u200bsi\u00adno", "casino"),
        ("\u202ecasino\u202c", "casino"),
    ],
)
def test_look_alikes_and_invisible_letters_are_folded_away(disguised, plain):
    assert fold(disguised) == plain


@pytest.mark.parametrize("text", ["онлайн казино", "кот", "καλημέρα", "smørrebrød", "it-отдел"])
def test_real_words_of_other_scripts_stay_as_they_are(text):
    assert fold(text) == text
    assert read_html(f"<p>{text}</p>").lookalikes == ()


def test_mentions_and_hashtags_are_no_links():
    html = (
        '<p><a href="https://a.example/@bob" class="u-url mention">@bob</a> '
        '<a href="https://a.example/tags/x" class="mention hashtag">#x</a> '
        '<a href="https://www.Shop.example/1"><span class="invisible">https://</span><span>shop.example</span></a></p>'
    )
    text = read_html(html)
    assert text.hosts == ("shop.example",)
    assert "https://shop.example" in text.plain


@pytest.mark.parametrize("html", [None, "", "<", "<p", "\ud800 lone surrogate", "\0", "<p>" * 50_000, "a" * 10])
def test_whatever_comes_in_a_text_comes_out(html):
    assert read_html(html).plain.encode() is not None


def test_a_megabyte_of_html_is_cut():
    assert len(read_html("<p>" + "word " * 200_000 + "</p>").plain) <= TEXT_MAX


@given(st.text(max_size=200))
def test_folding_twice_changes_nothing_more_for_plain_text(text):
    cleaned = text.encode("utf-8", "ignore").decode()
    assert isinstance(fold(fold(cleaned)), str)
    assert read_html(cleaned).folded == fold(read_html(cleaned).plain)
