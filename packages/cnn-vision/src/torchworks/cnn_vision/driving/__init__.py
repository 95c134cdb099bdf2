"""Driving perception: boxes, a class for each pixel, and depth, from one net."""
