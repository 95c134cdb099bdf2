"""How words sound: from letters to sounds."""
