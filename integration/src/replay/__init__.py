"""Months of trips played through the deployed workflow with a moving clock: `harness replay drift`."""

__all__: list[str] = []
