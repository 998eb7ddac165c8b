import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastowatch.domain import text as module
from mastowatch.domain.text import HTML_MAX, LINKS_MAX, TEXT_MAX, ascii_host, host_of, read_html

TAGS = ("p", "span", "del", "pre", "code", "em", "strong", "b", "i", "u", "ul", "ol", "li", "blockquote")
LINK = '<a href="https://a.example/x?y=1&amp;z=2" rel="nofollow noopener" target="_blank">'
PIECES = st.sampled_from(
    [
        *(f"<{tag}>" for tag in TAGS),
        *(f"</{tag}>" for tag in TAGS),
        *("<br>", "<br />", '<span class="invisible">', "one", " two ", "&amp;", "&lt;p&gt;", "дом", "😀", "\n"),
        f"{LINK}three</a>",
        f'{LINK}<span class="invisible">https://</span><span>a.example</span></a>',
        '<a href="https://a.example/@bob" class="u-url mention">@bob</a>',
        '<a class="mention hashtag" href="https://a.example/tags/x" rel="tag">#<span>x</span></a>',
        '<a href="HTTP://b.example/">four</a>',
        '<a href="mailto:a@b.example">five</a>',
        "<a>six</a>",
        *(
            "&#x1F600;",
            "&nbsp;",
            "&lt",
            "&notit;",
            "&#0;",
            "&#xd800;",
            "&amp;lt;",
            "\ud83d",
            "\0",
            " > ",
            "&#60;p&#62;",
        ),
        *(
            '<p class="x">',
            "<BR>",
            "<span lang='x'>",
            "<p",
            "<x-y>",
            "</p >",
            "<!-- no -->",
            "<br/ >",
            '<b title="<p>">',
        ),
        f"{LINK}{LINK}seven</a></a>",
        '<a rel="tag" class="x hashtag y" href="https://a.example/t">#t</a>',
        '<a href="https://c.example/@bob" class="u-url mention" rel="nofollow">@bob</a>',
        '<a href="https://d.example/" title="mention">eight</a>',
    ]
)


def words(text):
    return text.split()


def test_mentions_and_hashtags_are_no_links():
    html = (
        '<p><span class="h-card"><a href="https://a.example/@bob" class="u-url mention">@<span>bob</span></a></span> '
        '<a href="https://a.example/tags/x" class="mention hashtag" rel="tag">#<span>x</span></a> '
        '<a href="https://www.Shop.example/mention" rel="nofollow"><span class="invisible">https://www.</span>'
        '<span class="ellipsis">shop.example/men</span><span class="invisible">tion</span></a></p>'
    )
    text = read_html(html)
    assert text.links == ("https://www.Shop.example/mention",)
    assert text.hosts == ("shop.example",)
    assert "https://www.shop.example/mention" in text.plain


def test_lines_and_paragraphs_part_words_and_spans_do_not():
    html = "<p>one<br>two<br />three</p><p>four</p><ul><li>five</li><li>six</li></ul>se<span>ven</span>"
    assert read_html(html).folded == "one two three four five six seven"


def test_an_address_that_no_server_made_a_link_of_is_a_link_all_the_same():
    assert read_html("<p>go to https://shop.example/a now</p>").hosts == ("shop.example",)
    assert read_html(None, "see HTTPS://Shop.Example/").hosts == ("shop.example",)


def test_warning_and_alt_texts_count_as_text():
    assert read_html("<p>a</p>", "Warning", "", "alt").folded == "a warning alt"


@given(st.lists(PIECES, max_size=25).map("".join))
def test_expressions_and_parser_read_the_same(html):
    (fast, found), (plain, links) = module._read(html), module._parse(html)
    assert words(module._clean(fast)) == words(module._clean(plain))
    assert [module._clean(one) for one in found] == [module._clean(one) for one in links]


@given(st.text(max_size=100) | st.text(st.sampled_from('<>/ap"= &;hrefclsi'), max_size=60))
def test_whatever_comes_in_a_text_comes_out(html):
    text = read_html(html)
    text.plain.encode()
    text.folded.encode()


@pytest.mark.parametrize("html", [None, "", "<", "<p", "\ud800 surrogate", "\0", "&#0;", "&#xd800;", "<p>" * 50_000])
def test_what_is_not_html_does_no_harm(html):
    read_html(html).folded.encode()


def test_invalid_utf8_that_became_surrogates_is_replaced():
    residue = b"caf\xe9 casino".decode("utf-8", "surrogateescape")
    assert "casino" in read_html(f"<p>{residue}</p>").folded.split()


def test_right_to_left_text_stays_and_its_controls_go():
    assert read_html("<p>\u202bمرحبا\u202c שלום\u200f casino\u200b</p>").folded == "مرحبا שלום casino"


def test_scripts_styles_and_comments_are_no_text():
    html = "<p>a<script>b</script></p><style>c</style><!-- d --><div>e</div><title>f</title>"
    assert read_html(html).folded == "a e"


@pytest.mark.parametrize(
    "html",
    [
        "<p>" + "word " * 200_000 + "</p>",
        "<div>" * 200_000,
        '<a href="' * 100_000,
        "<p class" * 100_000,
        "<b><p>" * 170_000,
        "<p " + "a " * 500_000,
        '<a class="' + "m " * 500_000 + '" href="https://x.example">',
        "&" * 1_000_000,
        "a\u0301" * 500_000,
        "кa" * 500_000,
        "https://" * 125_000,
        "<nobr><a><b>" * 80_000,
    ],
)
def test_a_megabyte_of_anything_is_cut_and_read_in_no_time(html):
    begun = time.thread_time()
    text = read_html(html)
    assert len(text.plain) <= TEXT_MAX
    assert time.thread_time() - begun < 1.5


def test_links_are_cut_too():
    assert len(read_html('<a href="https://x.example/1">x</a>' * 500).links) == LINKS_MAX


def test_a_tag_that_the_cut_goes_through_is_no_text():
    html = "<p>" + "<b></b>" * (HTML_MAX // 7 - 10) + '<a href="https://x.example/' + "y" * 200 + '">'
    assert "href" not in read_html(html).folded


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://www.Shop.example./x", "shop.example"),
        ("https://user:pw@shop.example:8080?x", "shop.example"),
        ("https:\\\\shop.example\\@good.example", "shop.example"),
        ("https://b\u00fccher.example/", "xn--bcher-kva.example"),
        ("https://\uff53hop.example/", "shop.example"),
        ("http://[::1]/", "[::1]"),
        ("https://", ""),
        ("mailto:a@b.example", ""),
    ],
)
def test_the_host_of_a_link_is_what_a_browser_goes_to(url, host):
    assert host_of(url) == host


def test_a_host_no_dns_knows_is_compared_as_written():
    assert ascii_host("é" * 100) == "é" * 100


def test_a_post_that_is_made_to_take_long_is_cut_short():
    long_host = "".join(f'<a href="https://{"ü" * 1900}{n}.example/">x</a>' for n in range(100))
    assert read_html(long_host).hosts == ()
    assert len(read_html("\ufdfa" * 20_000).folded) <= TEXT_MAX


def test_a_lone_surrogate_in_a_link_reaches_no_host():
    text = read_html('<a href="https://a\ud800b.example/">x</a>')
    assert all(host.encode() for host in text.hosts)
