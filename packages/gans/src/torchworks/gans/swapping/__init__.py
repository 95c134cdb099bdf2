"""One face put in the place of another, with marks that say so, and a detector of such images."""
