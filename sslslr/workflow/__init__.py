"""What the Snakemake workflow needs to know; never imported by a stage."""
