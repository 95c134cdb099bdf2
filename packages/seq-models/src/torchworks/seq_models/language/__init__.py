"""Language models: the next token of a text, and so texts."""
