"""What the language-model generator is made of: text, tokens, training, sampling."""
