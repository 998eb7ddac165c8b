"""Decides, touches nothing: no clock, network, file, Redis, settings or logging."""
