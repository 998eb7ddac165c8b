"""Debian's own way to test a package, on this host: it installs the package once more and runs debian/tests."""

from __future__ import annotations

import shutil


def test_debian_tests(suite, given):
    source = suite.host.path("/root/source")
    shutil.copytree(given.source / "debian", source / "debian")
    done = suite.host.run(
        *("autopkgtest", "--ignore-restrictions=isolation-container", "/root/deb.deb", "/root/source"),
        *("--", "null"),
        check=False,
        timeout=300,
    )
    assert done.status == 0, done.out[-4000:] + done.err[-4000:]
    assert "PASS" in done.out + done.err
