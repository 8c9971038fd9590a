"""Models: a frozen backbone with attached methods and a task head, built from a config, saved as an experiment."""
