"""Somebody hears of it."""
