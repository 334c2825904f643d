"""Side-by-side measurements: each page beside the command that wrote it."""
