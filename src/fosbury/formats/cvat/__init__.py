"""CVAT's own XML: of images and of videos."""
