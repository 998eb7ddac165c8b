"""Whole booted Debian hosts as the test bench: the package is installed, run, broken, upgraded and purged on them.

``python -m tests.host`` (``make test-host``) is the way in.
"""
