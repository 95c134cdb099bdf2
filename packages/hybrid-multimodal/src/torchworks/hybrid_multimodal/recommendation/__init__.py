"""Recommendation: what a user will choose next, learned from what users have chosen."""
