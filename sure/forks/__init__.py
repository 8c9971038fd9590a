"""Commands of a recipe in forks of one process, which has imported the libraries and loaded the frozen weights."""
