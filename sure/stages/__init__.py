"""The work of the stages, called by the entry points in sure/bin."""
