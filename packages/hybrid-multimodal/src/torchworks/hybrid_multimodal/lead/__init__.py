"""How far the object that counts is, by a camera and a range sensor."""
