"""Images from captions, pixel by pixel."""
