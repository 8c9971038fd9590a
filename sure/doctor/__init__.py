"""Checks of folders: data, experiments, bundles."""
