"""What leaves the house: a table that explains itself and can be checked by anyone."""
