"""Finished runs on image files: prediction, explanation, tables, plots and reports."""
