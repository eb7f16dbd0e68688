"""What the harness tells of itself, under `/__harness__/`: nothing here mirrors the platform."""
