"""The parts of the dashboard's access that need nothing but themselves."""

from __future__ import annotations

import hashlib
from http.cookies import SimpleCookie

import pytest
from fastapi import Response
from hypothesis import given
from hypothesis import strategies as st

from mastowatch.config import Settings
from mastowatch.errors import ConfigError
from mastowatch.web.dashboard.access import limiter as limits
from mastowatch.web.dashboard.access import passwords as hashing
from mastowatch.web.dashboard.access.address import Address
from mastowatch.web.dashboard.access.cookies import Cookies
from mastowatch.web.dashboard.access.limiter import AT_ONCE, FREE, LONGEST_S, NAMES_MAX, Limiter
from mastowatch.web.dashboard.access.passwords import Line, Passwords, hash_password, parse_lines
from mastowatch.web.dashboard.access.person import Person
from mastowatch.web.dashboard.access.seals import Seal


class Clock:
    now = 1_750_000_000.0

    def __call__(self) -> float:
        return self.now


# Where one is led ----------------------------------------------------------------------------------------------------


@given(st.text(max_size=40), st.sampled_from(["", "/mastowatch"]))
def test_no_text_leads_out_of_the_dashboard_or_into_a_header(wanted: str, base: str):
    address = Address(Settings(dashboard_url=f"https://m.example{base}" if base else ""))
    for path in (address.path(wanted), address.path(f"/{wanted}"), address.path(f"//{wanted}")):
        assert path.startswith(f"{base}/")
        assert not path.removeprefix(base).startswith(("//", "/\\"))
        assert all(0x20 < ord(one) < 0x7F and one not in '\\"<>' for one in path)


@pytest.mark.parametrize(
    ("url", "origin", "host", "ours"),
    [
        ("https://m.example/mw", "https://m.example", "m.example", True),
        ("https://m.example/mw", "https://M.example", "localhost", True),
        ("https://m.example/mw", "http://m.example", "m.example", False),
        ("https://m.example/mw", "https://m.example:8443", "m.example:8443", False),
        ("https://m.example/mw", "http://localhost:9181", "localhost:9181", True),
        ("https://m.example/mw", "http://localhost:9182", "localhost:9181", False),
        ("https://m.example/mw", "null", "m.example", False),
        ("", "http://127.0.0.1:9181", "127.0.0.1:9181", True),
        ("", "http://[::1]:9181", "[::1]:9181", True),
        ("", "http://evil.example", "evil.example", False),
        ("", "", "", False),
    ],
)
def test_only_pages_of_our_own_address_are_ours(url: str, origin: str, host: str, *, ours: bool):
    assert Address(Settings(dashboard_url=url)).is_ours(origin, host) is ours


@pytest.mark.parametrize(
    "url",
    ["ftp://x", "https://", "https://x/a?b", "https://x/#", "https://x//y", "https://u:p@x", "https://x/a b", "x"],
)
def test_an_address_that_could_not_be_meant_is_refused(url: str):
    with pytest.raises(ValueError, match="dashboard_url"):
        Settings(dashboard_url=url)


def test_an_address_is_taken_as_a_browser_says_it():
    assert Settings(dashboard_url="https://Bücher.Example/mw/").dashboard_url == "https://xn--bcher-kva.example/mw"


# Cookies -------------------------------------------------------------------------------------------------------------


def test_a_cookie_is_dropped_as_it_was_put():
    cookies = Cookies(Address(Settings(dashboard_url="https://m.example/mw")))
    put, dropped = Response(), Response()
    cookies.put(put, "session", "x", 60)
    cookies.drop(dropped, "session")
    (one,), (other,) = (SimpleCookie(response.headers["set-cookie"]).values() for response in (put, dropped))
    assert one.key == other.key
    assert {**one, "max-age": 0} == {**other, "max-age": 0}
    assert other["max-age"] == "0"


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=50), max_size=3))
def test_what_was_sealed_comes_back_for_its_purpose_and_key_alone(values: dict[str, str]):
    clock = Clock()
    text = Seal(b"k" * 32, "one", clock).close(values)
    assert Seal(b"k" * 32, "one", clock).open(text, 10) == (clock.now, values)
    assert Seal(b"k" * 32, "two", clock).open(text, 10) is None
    assert Seal(b"l" * 32, "one", clock).open(text, 10) is None
    for cut in range(len(text)):
        assert Seal(b"k" * 32, "one", clock).open(text[:cut], 10) is None


def test_the_seal_is_hmac_sha256():
    signer = Seal(b"k" * 32, "one", Clock())._serializer.make_signer()
    assert signer.algorithm.digest_method is hashlib.sha256
    assert len(Seal(b"k" * 32, "one", Clock()).close({}).rsplit(".", 1)[1]) == 43


# Passwords -----------------------------------------------------------------------------------------------------------


def test_a_password_is_known_again_and_no_other():
    people = Passwords([Line("alice", "act", hash_password("correct horse ä"))])
    assert people.check("alice", "correct horse ä") == "act"
    assert people.check("alice", "correct horse a\u0308") == "act"
    for name, password in (("alice", "wrong"), ("bob", "correct horse ä"), ("", ""), ("alice", "x" * 5000)):
        assert people.check(name, password) is None


def test_an_unknown_name_costs_as_much_as_a_known_one(monkeypatch: pytest.MonkeyPatch):
    people = Passwords([Line("alice", "act", hash_password("correct horse"))])
    costs: list[tuple[int, int, int]] = []
    original = hashing._scrypt

    def counted(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
        costs.append((n, r, p))
        return original(password, salt, n, r, p)

    monkeypatch.setattr(hashing, "_scrypt", counted)
    people.check("alice", "wrong")
    people.check("nobody", "wrong")
    assert costs == [(2**15, 8, 1)] * 2


def test_two_of_the_same_password_look_different_and_tell_nothing_of_it():
    one, other = hash_password("correct horse"), hash_password("correct horse")
    assert one != other
    assert "correct" not in one


@pytest.mark.parametrize(
    "line",
    [
        "alice", "alice:act", "alice:act:", "alice:boss:{h}", "al ice:act:{h}", "@alice:act:{h}", ":act:{h}",
        "alice:act:{h}:x", "alice:act:md5$x", "alice:act:scrypt$2$8$1$AAAA$AAAA", "alice:act:scrypt$32768$8$1$A$A",
        "alice:act:scrypt$1048576$64$64$AAAAAAAAAAAAAAAAAAAAAA==$AAAA",
        "alice:act:scrypt$32769$8$1$AAAAAAAAAAAAAAAAAAAAAA==$AAAA",
    ],
)  # fmt: skip
def test_a_line_that_can_not_be_right_is_named_by_its_number_alone(line: str):
    text = "# people\n\n" + line.format(h=hash_password("correct horse"))
    with pytest.raises(ConfigError, match=r"^where: line 3 is not NAME:ROLE") as caught:
        list(parse_lines(text, "where"))
    assert "alice" not in str(caught.value)


def test_what_a_session_rests_on_changes_with_role_and_password():
    hashed = hash_password("correct horse")
    lines = [Line("a", "act", hashed), Line("a", "read", hashed), Line("a", "act", hash_password("correct horse"))]
    assert len({line.mark for line in lines}) == 3
    assert Passwords(lines[:1]).mark_of("a") == lines[0].mark
    assert Passwords(lines[:1]).mark_of("b") is None


# Limits --------------------------------------------------------------------------------------------------------------


def test_the_wait_doubles_up_to_its_longest_and_is_forgotten():
    clock = Clock()
    limiter = Limiter(clock)
    assert [limiter.admit("alice") for _ in range(FREE)] == [0] * FREE
    waits = []
    for _ in range(12):
        waits.append(limiter.admit("alice"))
        assert limiter.admit("alice") == waits[-1]
        clock.now += waits[-1]
        assert limiter.admit("alice") == 0
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, LONGEST_S, LONGEST_S, LONGEST_S, LONGEST_S]
    clock.now += limits.FORGOTTEN_S + 1
    assert limiter.admit("alice") == 0
    assert limiter.admit("alice") == 0


def test_the_right_password_takes_the_wait_away():
    limiter = Limiter(Clock())
    for _ in range(FREE):
        limiter.admit("alice")
    limiter.succeeded("alice")
    assert limiter.admit("alice") == 0


def test_all_names_together_are_bounded_too():
    clock = Clock()
    limiter = Limiter(clock)
    assert [limiter.admit(f"name{number}") for number in range(AT_ONCE)] == [0] * AT_ONCE
    assert limiter.admit("alice") == limits.EACH_S
    clock.now += limits.EACH_S
    assert limiter.admit("alice") == 0
    assert limiter.admit("bob") > 0


def test_a_clock_that_goes_back_locks_nobody_out_for_long():
    clock = Clock()
    limiter = Limiter(clock)
    for _ in range(FREE + 1):
        limiter.admit("alice")
    clock.now -= 86400
    wait = limiter.admit("alice")
    assert 0 < wait <= LONGEST_S
    clock.now += wait
    assert limiter.admit("alice") == 0


def test_memory_is_bounded_whatever_is_tried():
    clock = Clock()
    limiter = Limiter(clock)
    for number in range(NAMES_MAX * 2):
        clock.now += limits.EACH_S
        assert limiter.admit(f"name{number}") == 0
    assert len(limiter) == NAMES_MAX


def test_roles_are_in_order():
    roles = [None, "read", "act", "switch"]
    for number, role in enumerate(roles):
        assert [Person("x", role).may(needs) for needs in roles[1:]] == [number >= at for at in (1, 2, 3)]
