"""Measuring codecs: one photo, a folder, a benchmark."""
