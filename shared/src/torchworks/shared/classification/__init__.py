"""What classifiers of any package have in common: metrics, a baseline, plots, the commands on files."""
