"""What commands do with files of images and a finished run, whatever the package: read, predict, draw, report."""
