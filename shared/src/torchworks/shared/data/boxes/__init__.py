"""People's own images with boxes, outlines, masks and depth: read from COCO, VOC, YOLO or folders
of masks, checked, and drawn.

| file | its job |
|---|---|
| `coco`, `voc`, `yolo`, `masks` | what the files of one format say, as `Labels`; the opener of that source |
| `labels` | things with boxes and outlines, faults in them, and what is left when those are left out |
| `labelled` | from labels to a source: split without leaks, samples of one shape |
| `sample` | the fields of such samples, and the letterbox |
| `regions` | which boxes lie where nothing counts |
| `outlines`, `mask_files`, `depth`, `folders` | polygons and run lengths; class ids; metres; where files lie |
| `check`, `draw` | the report on such data, and its images |

Polygons and data.yaml need the extra `shared[boxes]`.
"""
