"""Rows of a table: a class or a number predicted from numbers and categories."""
