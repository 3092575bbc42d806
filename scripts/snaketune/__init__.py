"""Snaketune: a fine-tuning study as one Snakemake DAG (the library its scripts share)."""
