"""Asset bodies, one file for each stage: read, call, return."""
