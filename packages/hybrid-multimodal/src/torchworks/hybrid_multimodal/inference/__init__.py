"""What several jobs do with finished runs."""
