"""Anomalies: rows of a table, or steps of a series, that are unlike most."""
