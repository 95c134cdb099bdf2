"""Sound: a speaker that is a formant synthesiser, the words it knows, and the log-mel front end."""
