"""One static HTML page of all finished runs in a folder.

python -m torchworks.shared.runs.gallery runs --out runs/gallery.html     # make gallery

`reading` finds the runs and reads their files, `scores` puts results beside their baselines, `pictures` makes
pictures, films and sounds small, `page` writes the page. Nothing here imports torch.
"""
