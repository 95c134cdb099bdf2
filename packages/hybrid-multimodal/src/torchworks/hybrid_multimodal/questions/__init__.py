"""Questions about pictures, answered."""
