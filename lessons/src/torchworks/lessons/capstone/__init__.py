"""The end of the course: one command from raw images to a service that is watched. See `capstone.md`.

`anatomy` and `scanners` draw images, `hospital` and `faults` make folders of them, `modelling` and `operating` have the
steps, `report` writes what came out.
"""
