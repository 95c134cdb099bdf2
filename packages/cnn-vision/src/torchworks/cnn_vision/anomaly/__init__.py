"""Anomaly detection: defects found by PatchCore's memory of good images."""
