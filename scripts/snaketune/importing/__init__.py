"""Trainings described for other programs, taken over as studies."""
