"""What the Snakemake workflow needs to know; never imported by a stage. In reading order:

grid.py            from a study to its runs, and what each is scored on
stages.py          the five stages, and the sources that make a result stale
check.py           every setting of a study, before the first job; estimate.py its hours
start.py           before the first job: results_folder.py, results_lock.py, seals.py
commands.py        the commands of a study, one by one
job_lock.py        one job at a time on an output; slurm.py what a job asks its scheduler
"""
