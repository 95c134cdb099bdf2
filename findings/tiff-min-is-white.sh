#!/usr/bin/env bash
# A mask that is stored as a TIFF with 0 for white is read inverted by half of the libraries, and by imageio in both ways.
#
# Versions: tifffile 2026.3.3, imageio 2.38.1, scikit-image 0.26.0, Pillow 13.0.0, numpy 2.4.6, Python 3.11.
# Expected: the tag PhotometricInterpretation = 0 (WhiteIsZero), which scanners and microscopes write, is part of the image:
#           every reader gives 255 where the image is white. imageio, at least, agrees with itself.
# Seen:     Pillow and imageio with its Pillow plugin give the image; tifffile, scikit-image and imageio by default give the
#           stored numbers. A net trained on masks from one reader and scored on masks from another learns the background.
# Output:   white pixels, of 24: Pillow 4, imageio plugin=pillow 4, tifffile 20, scikit-image 20, imageio 20
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    tifffile==2026.3.3 imageio==2.38.1 scikit-image==0.26.0 pillow==13.0.0 numpy==2.4.6
cd "$folder"
cat > script.py <<'PYTHON'
import imageio.v3 as imageio
import numpy as np
import skimage.io
import tifffile
from PIL import Image

mask = np.zeros((4, 6), np.uint8)
mask[1:3, 1:3] = 255  # four white pixels
tifffile.imwrite("mask.tif", 255 - mask, photometric="miniswhite")
read = {
    "Pillow": np.array(Image.open("mask.tif")),
    "imageio plugin=pillow": imageio.imread("mask.tif", plugin="pillow"),
    "tifffile": tifffile.imread("mask.tif"),
    "scikit-image": skimage.io.imread("mask.tif"),
    "imageio": imageio.imread("mask.tif"),
}
white = {name: int((image == 255).sum()) for name, image in read.items()}
print("white pixels, of 24:", ", ".join(f"{name} {count}" for name, count in white.items()))
assert list(white.values()) == [4, 4, 20, 20, 20], "the behavior has changed"
PYTHON
"$folder/venv/bin/python" script.py
