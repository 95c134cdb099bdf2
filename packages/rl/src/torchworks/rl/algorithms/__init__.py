"""What an algorithm learns by: returns, advantages and losses, one paper a file."""
