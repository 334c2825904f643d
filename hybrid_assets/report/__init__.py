"""Results as data, as pictures and as a page."""
