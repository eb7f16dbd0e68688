"""How many loaves each shop sells."""
