"""Text generated token by token: many requests in one batch, answered as a whole or as it comes."""
