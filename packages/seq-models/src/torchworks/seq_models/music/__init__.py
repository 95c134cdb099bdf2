"""Music as notes: frames, rules of four voices, MIDI files, a synthesiser, pictures."""
