"""Models of music: trained, scored, and used to compose and to harmonise melodies."""
