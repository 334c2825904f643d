"""What a table gives away about the people in it."""
