"""Frozen speech encoders built from layers with named sites; one file per family."""
