"""Data with boxes, masks and depth: scenes made from bundled pictures, people's own COCO, VOC, YOLO and mask folders."""
