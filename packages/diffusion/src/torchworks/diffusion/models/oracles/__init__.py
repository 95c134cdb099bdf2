"""What our nets are compared with, a library a file."""
