"""Detection by DETR: objects and their boxes as a set."""
