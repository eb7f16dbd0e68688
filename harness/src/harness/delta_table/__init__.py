"""`DeltaTable` over Spark Connect: the client's messages, read in the driver and answered with Spark's own plans."""
