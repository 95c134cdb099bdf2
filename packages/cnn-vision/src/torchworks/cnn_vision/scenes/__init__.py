"""Data with boxes, masks and depth: scenes from bundled pictures, and people's own folders."""
