"""Forecasts of series, with quantiles, from their past and from columns that are known in advance."""
