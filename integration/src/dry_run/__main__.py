"""`python -m dry_run`."""

from dry_run.cli import main

main()
