# Entry point. The workflow is a module because a bare `include` would reset the default target, and
# `snakemake` would then say "Nothing to be done" (tests/workflow/test_traps.py).
# A configuration given with --configfile replaces the demo's; `configfile:` would merge the two.
from snakemake.utils import update_config

from sslslr.config.load import read_yaml

if not workflow.config_settings.configfiles:
    demo = read_yaml(workflow.source_path("config/demo.yaml"))
    update_config(demo, config)  # of --config; keys within keys keep their neighbours
    config = demo


module study:
    snakefile:
        "workflow/Snakefile"
    config:
        config


use rule * from study
