"""The file form of a plan."""
