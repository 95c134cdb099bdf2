"""Text to speech: texts become log-mel spectrograms, and these become sound."""
