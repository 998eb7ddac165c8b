"""Kills at random moments and at every step by name; CHAOS=long in the environment for the long form."""
