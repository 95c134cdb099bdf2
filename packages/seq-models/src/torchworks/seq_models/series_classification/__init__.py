"""Classification of series: one class for each."""
