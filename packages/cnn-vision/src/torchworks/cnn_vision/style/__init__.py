"""Style transfer three ways: by optimisation, by a net for one style, by a net for any style."""
