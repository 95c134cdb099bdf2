"""Images from noise, pixel by pixel: of a class that is asked for, or of none."""
