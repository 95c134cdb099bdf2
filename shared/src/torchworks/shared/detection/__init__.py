"""What detectors of any package have in common: metrics, a baseline, drawings, the commands on files."""
