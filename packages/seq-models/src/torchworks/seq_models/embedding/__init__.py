"""Word vectors: words that are used alike get vectors that are alike."""
