import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastowatch.domain.folding import fold, fold_with_lookalikes

SCRIPTS = st.text(
    st.sampled_from("aocasino КАЗИНОкотéßİıΣςµ™ﬁ½\u200b\u0301\u0337\u00ad\u202e-/.…´\u00a0ᴄᴀꜱ𝓬ｃ"), max_size=30
)


@pytest.mark.parametrize(
    "disguised",
    [
        "\u0421asino",  # a Cyrillic letter
        "c\u0430s\u0456n\u043e",
        "\u1d04\u1d00\ua731\u026a\u0274\u1d0f",  # small capitals
        "\uff43\uff41\uff53\uff49\uff4e\uff4f",  # full width
        "\U0001d41c\U0001d41a\U0001d42c\U0001d422\U0001d427\U0001d428",  # mathematical
        "\u24b8\u24d0\u24e2\u24d8\u24dd\u24de",  # circled
        "ca\u200bsi\u00adno",  # zero-width space, soft hyphen
        "\u202ecasino\u202c",  # right-to-left override
        "c\u0337a\u0337s\u0337i\u0337n\u0337o\u0337",  # struck through
        "CASINO",
    ],
)
def test_a_plain_word_stands_behind_every_disguise(disguised):
    assert fold(disguised) == "casino"


@pytest.mark.parametrize(
    "text", ["онлайн казино", "кот", "καλημέρα", "smørrebrød", "it-отдел", "/ɡɪft/", "itшник", "ελλάδα 2024", "5μm"]
)
def test_real_words_of_other_scripts_stay_and_are_no_disguise(text):
    assert fold_with_lookalikes(text) == (text, ())


@pytest.mark.parametrize(("text", "found"), [("w\u0456nner", ("winner",)), ("к\u0061зин\u006f", ("казино",))])
def test_words_in_disguise_are_told(text, found):
    assert fold_with_lookalikes(text)[1] == found


@pytest.mark.parametrize("text", ["PDFка", "SIMку", "5г", "xо"])
def test_a_loan_word_with_its_own_ending_is_no_disguise(text):
    assert fold_with_lookalikes(text)[1] == ()


@pytest.mark.parametrize(
    "text", ["ᴍʏ ɴᴇᴡ ꜱᴏɴɢ", "ᴇxᴀᴍᴘʟᴇ", "\U0001d40c\U0001d432 \U0001d42c\U0001d428\U0001d427\U0001d420"]
)
def test_ornament_is_read_as_plain_and_is_no_disguise(text):
    assert fold(text).isascii()
    assert fold_with_lookalikes(text)[1] == ()


@pytest.mark.parametrize(
    ("text", "folded", "found"),
    [
        ("無料のiPh\u043eneが当たる", "無料のiphoneが当たる", ("iphone",)),
        ("G\u043e\u043egleアカウント", "googleアカウント", ("google",)),
        ("iPh\u043ene은", "iphone은", ("iphone",)),
        ("PDFの\u03b1版", "pdfの\u03b1版", ()),
    ],
)
def test_no_space_is_needed_around_a_disguise_in_scripts_without_spaces(text, folded, found):
    assert fold_with_lookalikes(text) == (folded, found)


def test_latin_letters_do_not_hide_a_cyrillic_word():
    assert fold("к\u0061зин\u006f") == "казино"


def test_a_folded_text_is_one_line_with_single_spaces():
    assert fold(" claim \n\n your\u00a0\u3000airdrop\t") == "claim your airdrop"


@given(st.text(max_size=200) | SCRIPTS)
def test_folding_twice_changes_nothing_more(text):
    once = fold(text)
    assert fold(once) == once


@given(st.text(max_size=200) | SCRIPTS)
def test_a_folded_text_holds_no_capital_and_nothing_invisible(text):
    once = fold(text)
    assert once == once.lower()
    assert not set(once) & set("\u200b\u200d\u202e\ufeff\u00ad\u2066")


def test_long_words_are_folded_as_short_ones_are():
    assert fold("\u0421asino" * 20) == "casino" * 20
