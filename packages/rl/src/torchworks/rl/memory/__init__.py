"""Steps that are kept and drawn again, and the play that brings new ones."""
