"""Servers of our own: started by the job that asks them, gone when it is gone."""
