"""The whole workflow, from nothing, on the harness: `./run dry-run`."""

__all__: list[str] = []
