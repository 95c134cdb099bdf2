"""Questions about a text, summaries of it, and conversations."""
