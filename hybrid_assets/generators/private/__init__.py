"""What the generator `dp` is made of: declared bins, private counts, a graphical model."""
