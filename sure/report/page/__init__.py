"""One HTML page about experiments, which needs no network and no other file."""
