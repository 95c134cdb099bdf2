"""Whether two recordings are of the same voice."""
