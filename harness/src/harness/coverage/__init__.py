"""Which of the platform's routes are answered, how whole, and by which run that is proven: the table of `docs/coverage.md`."""
