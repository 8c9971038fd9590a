"""Text from a decoder: search, rules, fallback, windows of long recordings, times of words."""
