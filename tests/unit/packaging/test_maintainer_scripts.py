import re
import subprocess

import pytest

from mastowatch import __version__
from mastowatch.adapters.redis_layout import LAYOUT
from tests.unit.packaging.programs import PACKAGING, ROOT

DEBIAN = ROOT / "debian"
SCRIPTS = [DEBIAN / f"mastowatch.{name}" for name in ("preinst", "postinst", "prerm", "postrm")]
# The first version of the package that knew each layout of the keys in Redis. A new layout adds a line, and raises
# LAYOUT_SINCE in debian/mastowatch.prerm, which refuses a downgrade below it.
LAYOUT_SINCE = {1: "0.1.0"}


def test_the_package_has_the_version_of_the_program():
    changelog = (DEBIAN / "changelog").read_text()
    assert changelog.startswith(f"mastowatch ({__version__}) ")


def test_a_downgrade_is_refused_below_the_version_that_knew_this_layout():
    prerm = (DEBIAN / "mastowatch.prerm").read_text()
    assert re.search(r"^LAYOUT_SINCE=(\S+)$", prerm, re.MULTILINE)[1] == LAYOUT_SINCE[LAYOUT]


def test_an_upgrade_restarts_each_service_and_leaves_the_socket_open():
    postinst = (DEBIAN / "mastowatch.postinst").read_text()
    restarted = re.search(r"try-restart ((?:.*\\\n)*.*)", postinst)[1]
    named = {word.strip("'").replace("@*", "@") for word in re.findall(r"\S+\.\w+'?", restarted)}
    assert named == {path.name for path in (ROOT / "systemd").glob("*.service")}


@pytest.mark.parametrize("path", [*SCRIPTS, PACKAGING / "rtupdate"], ids=lambda path: path.name)
def test_a_maintainer_script_is_sh_that_ends_at_the_first_failure(path):
    text = path.read_text()
    assert text.startswith("#!/bin/sh\n")
    assert "\nset -e\n" in text
    subprocess.run(["sh", "-n", path], check=True)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_debhelpers_word_stands_once_alone_on_its_line(path):
    # It is replaced wherever it stands, in a comment as well.
    assert re.findall(r".*#DEBHELPER#.*", path.read_text()) == ["#DEBHELPER#"]


def test_debconf_is_asked_for_outside_of_a_function():
    # It runs the script once more with the arguments of where it was asked for; a function has others.
    lines = (DEBIAN / "mastowatch.postrm").read_text().splitlines()
    (number,) = (number for number, line in enumerate(lines) if line.strip() == ". /usr/share/debconf/confmodule")
    assert not any(line.endswith("() {") for line in lines[number:])
    assert lines[:number].count("}") == sum(line.endswith("() {") for line in lines[:number])


def test_secrets_are_made_for_root_alone_and_once(tmp_path):
    postinst = (DEBIAN / "mastowatch.postinst").read_text()
    function = re.search(r"^make_credentials\(\) \{\n.*?^\}\n", postinst, re.DOTALL | re.MULTILINE)[0]
    # Without -o root, which only root may.
    install = 'install() { command install -d -m 0700 "$CREDENTIALS"; }'
    script = f"set -e; CREDENTIALS={tmp_path}/credentials; {install}\n{function}make_credentials"
    keys = set()
    for _ in range(2):
        subprocess.run(["sh", "-c", script], check=True, umask=0o022)
        made = {path.name: path for path in (tmp_path / "credentials").iterdir()}
        assert set(made) == {"api_key", "session_key", "access_token"}
        assert {path.stat().st_mode & 0o777 for path in made.values()} == {0o600}
        assert made["access_token"].read_text() == ""
        keys.add((made["api_key"].read_text(), made["session_key"].read_text()))
    ((api_key, session_key),) = keys
    assert re.fullmatch("[0-9a-f]{64}", api_key)
    assert re.fullmatch("[0-9a-f]{64}", session_key)
    assert api_key != session_key
