"""Snakemake as it is, but for how seldom its Slurm plugin asks Slurm.

    python tests/slurm/often.py ARGUMENTS OF SNAKEMAKE

The plugin (2.8) asks ten seconds later each time that no job has ended, up to 180; it has no setting
for that. On a cluster that is kind; here half of the tests' time was spent waiting for the next look.
"""

import sys

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

LONGEST = 2  # seconds between two looks
its_own = RemoteExecutor.next_seconds_between_status_checks
RemoteExecutor.next_seconds_between_status_checks = property(
    lambda executor: min(its_own.fget(executor), LONGEST), its_own.fset
)

if __name__ == "__main__":
    sys.exit(main())
