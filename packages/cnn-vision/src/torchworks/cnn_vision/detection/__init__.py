"""Detection: objects in images by boxes, and by masks, with YOLO, SSD, Faster R-CNN and Mask R-CNN."""
