"""The config: pydantic models of every key, and how files become the checked whole."""
