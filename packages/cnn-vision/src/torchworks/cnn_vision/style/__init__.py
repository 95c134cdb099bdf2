"""Style transfer three ways: by optimization, by a net for one style, by a net for any style."""
