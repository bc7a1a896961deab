# Entry point. The workflow is a module because a bare `include` would reset the default target, and
# `snakemake` would then say "Nothing to be done" (tests/workflow/test_traps.py).
# A configuration given with --configfile replaces the demo's; `configfile:` would merge the two.
import yaml

if not workflow.config_settings.configfiles:
    with open(workflow.source_path("config/demo.yaml")) as stream:
        config = {**yaml.safe_load(stream), **config}


module study:
    snakefile:
        "workflow/Snakefile"
    config:
        config


use rule * from study
