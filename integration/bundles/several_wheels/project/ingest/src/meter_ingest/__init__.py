"""Readings come in and are checked."""
