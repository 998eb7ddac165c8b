"""Rules, cases and audit as a file of JSON lines: written, checked, and merged into what is there."""
