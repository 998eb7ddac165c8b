"""Measures: what README states, and what those who change the engine need to know."""
