"""The dashboard of a monitor: from its two metric tables to one page, served by the harness or kept as one file."""
