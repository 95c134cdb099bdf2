"""Commands about models rather than runs."""
