"""COCO keypoints: the format that this project stores, and that most tools can write.

COCO's annotators clicked on continuous coordinates with the origin at the top-left corner, which is this project's
convention too (see ``pose.py``), so numbers go in and out as they are: nothing is shifted by half a pixel.

Beyond plain COCO an image may carry ``video``, ``frame``, ``timestamp_ms``, ``phase``, ``group``, ``source``,
``stature_mm``, ``label`` and ``description``; other readers ignore them.

What would silently spoil training (a joint on the wrong picture, a number that is none, two images under one id) is a
problem; what is harmless (a joint outside the picture, a wrong ``num_keypoints``) is put right or kept, and noted.
"""

from fosbury.formats.coco.categories import skeleton_of
from fosbury.formats.coco.reading import read_coco, read_content
from fosbury.formats.coco.writing import write_coco

__all__ = ["read_coco", "read_content", "skeleton_of", "write_coco"]
