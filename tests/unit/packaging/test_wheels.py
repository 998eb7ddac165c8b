import re
import zipfile
from pathlib import Path

import pytest

from tests.unit.packaging.programs import load

fetch = load("fetch-wheels")
unpack = load("unpack-wheels")
check = load("check-copyright")

LOCK = """\
alpha==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
async-timeout==5.0.1 ; python_full_version < '3.11.3' \\
    --hash=sha256:cc
tzdata==2026.6 \\
    --hash=sha256:dd
"""
TABLES = {"distributions": {}, "sources": [], "crates": {"memchr": {"licence": "MIT", "holders": ["2015 A. G."]}}}
MIT = "MIT License\n\nCopyright (c) 2020 Ann Author\n\nPermission is hereby granted, free of charge, to any person\n"


def packed(directory, name, files):
    with zipfile.ZipFile(directory / f"{name}.whl", "w") as archive:
        for file, content in files.items():
            archive.writestr(file, content)


def certifi(directory):
    packed(directory, "certifi", {"certifi/core.py": "frozen", "certifi/cacert.pem": "frozen"})


def book(tmp_path, files, tables=None):
    packed(tmp_path, "alpha", {"alpha-1.0.dist-info/METADATA": "License-Expression: MIT\n", **files})
    made = check.Book(TABLES | {"not_linked": {"crates": ["syn"]}} | (tables or {}))
    made.add([zipfile.ZipFile(tmp_path / "alpha.whl")], "alpha", "1.0")
    return made


# --- fetching


def test_make_deb_gets_python_before_it_runs_what_is_written_in_it():
    makefile = (Path(__file__).parents[3] / "Makefile").read_text()
    first, *_ = re.search(r"^deb:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)[1].splitlines()
    assert first == "\t@packaging/install-debian-packages python3-venv"


def test_requirements_keep_their_hashes_and_lose_their_markers():
    locked = fetch._locked(LOCK)
    assert locked["alpha"] == "alpha==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    assert locked["async-timeout"].splitlines()[0] == "async-timeout==5.0.1 \\"


def test_what_debian_has_is_left_out():
    assert "tzdata" not in fetch._locked(LOCK)


def test_all_that_is_named_apart_is_still_in_the_lock():
    locked = {entry.partition("==")[0] for entry in (fetch.LOCKS / "run.txt").read_text().split("\n") if "==" in entry}
    assert locked >= fetch.SOURCE_ONLY | fetch.LEFT_OUT


# --- unpacking


def test_extension_modules_of_all_pythons_lie_side_by_side(tmp_path):
    certifi(tmp_path)
    for version in ("311", "312"):
        packed(tmp_path, f"a-{version}", {"a/m.py": "same", f"a/x.cpython-{version}.so": version})
    assert unpack.main(tmp_path, tmp_path / "out") == 0
    assert sorted(path.name for path in (tmp_path / "out" / "a").iterdir()) == [
        "m.py",
        "x.cpython-311.so",
        "x.cpython-312.so",
    ]


def test_two_wheels_that_disagree_on_a_module_fail_the_build(tmp_path, capsys):
    certifi(tmp_path)
    packed(tmp_path, "a-311", {"a/m.py": "one"})
    packed(tmp_path, "a-312", {"a/m.py": "two"})
    assert unpack.main(tmp_path, tmp_path / "out") == 1
    assert "a/m.py differs between a-311.whl and a-312.whl" in capsys.readouterr().err


def test_programs_lose_their_interpreter_and_what_no_process_reads_is_left_out(tmp_path):
    certifi(tmp_path)
    left = ["a/m.pyi", "a/x.c", "a/py.typed", "a/tests/t.py", "a-1.dist-info/RECORD", "a-1.dist-info/licenses/LICENSE"]
    kept = {"a/m.py": "#!/usr/bin/env python3\nx = 1\n", "a-1.dist-info/METADATA": "Name: a\n"}
    packed(tmp_path, "a", kept | dict.fromkeys(left, "x"))
    assert unpack.main(tmp_path, tmp_path / "out") == 0
    made = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert made == {"a/m.py", "a-1.dist-info/METADATA", "certifi/core.py"}
    assert (tmp_path / "out" / "a" / "m.py").read_text() == "x = 1\n"


def test_roots_of_trust_are_debians(tmp_path):
    certifi(tmp_path)
    assert unpack.main(tmp_path, tmp_path / "out") == 0
    found = {}
    exec((tmp_path / "out" / "certifi" / "core.py").read_text(), found)
    assert found["where"]() == "/etc/ssl/certs/ca-certificates.crt"


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil.py", "a-1.data/scripts/evil"])
def test_a_file_outside_of_the_directory_of_modules_is_refused(tmp_path, name):
    certifi(tmp_path)
    packed(tmp_path, "evil", {name: ""})
    with pytest.raises(SystemExit, match="no place"):
        unpack.main(tmp_path, tmp_path / "out")


# --- copyright


def test_holder_and_licence_come_from_the_wheel(tmp_path):
    made = book(tmp_path, {"alpha-1.0.dist-info/licenses/LICENSE": MIT})
    assert made.faults == []
    assert "Files: wheels/alpha-*\nCopyright:\n 2020 Ann Author\nLicense: MIT\n" in made.render()
    assert "License: MIT\n Permission is hereby granted" in made.render()


def test_a_notice_in_a_module_is_a_holder_too(tmp_path):
    made = book(
        tmp_path,
        {"alpha-1.0.dist-info/licenses/LICENSE": MIT, "alpha/m.py": "# Copyright 2001-2006 Gregory P. Ward.\n"},
    )
    assert list(made.paragraphs[0].holders) == ["2020 Ann Author", "2001-2006 Gregory P. Ward"]


def test_a_distribution_without_holder_is_a_fault(tmp_path):
    assert any("who holds the rights" in fault for fault in book(tmp_path, {}).faults)


def test_a_binary_that_nobody_looked_through_is_a_fault(tmp_path):
    files = {"alpha-1.0.dist-info/licenses/LICENSE": MIT, "alpha/x.so": b"ELF"}
    known = {"distributions": {"alpha": {"checked": "0.9"}}}
    assert any("0.9 was checked" in fault for fault in book(tmp_path, files, known).faults)
    known["distributions"]["alpha"]["checked"] = "1.0"
    assert book(tmp_path, files, known).faults == []


def test_a_crate_that_is_linked_must_be_known(tmp_path):
    binary = b"..index.crates.io-1949cf8c6b5b557f/memchr-2.7.4/src index.crates.io-1949cf8c6b5b557f/novel-x-1.0.0/src"
    files = {"alpha-1.0.dist-info/licenses/LICENSE": MIT, "alpha/x.so": binary}
    known = {
        "distributions": {"alpha": {"checked": "1.0"}},
        "crates": TABLES["crates"] | {"std": {"licence": "MIT", "holders": ["R"]}},
    }
    made = book(tmp_path, files, known)
    assert [fault for fault in made.faults if "novel-x" in fault]
    assert len(made.faults) == 1
    assert "2015 A. G. (crate memchr)" in made.paragraphs[0].holders


def test_a_part_that_has_gone_is_a_fault(tmp_path):
    part = {"name": "Sort", "sign": "sort_of", "licence": "MIT", "holders": ["2001 S."]}
    files = {"alpha-1.0.dist-info/licenses/LICENSE": MIT, "alpha/x.so": b"other"}
    known = {"distributions": {"alpha": {"checked": "1.0", "parts": [part]}}}
    assert any("Sort is not in it any longer" in fault for fault in book(tmp_path, files, known).faults)
