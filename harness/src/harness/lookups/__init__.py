"""Kinds of things that no harness has: asked for, they are told to be none, which is true."""
