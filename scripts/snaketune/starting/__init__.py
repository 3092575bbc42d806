"""A study of one's own out of a file: what it holds, what is guessed of it, the YAML written."""
