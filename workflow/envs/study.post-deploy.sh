# With `--sdm conda` Snakemake runs this once in the environment that it made from study.yaml: the
# package there is the one that plans the workflow (SSLSLR_PACKAGE, see rules/common.smk), linked so that
# edits of a clone count.
set -e
site=$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
ln -sfn "$SSLSLR_PACKAGE" "$site/sslslr"
printf '#!/bin/sh\nexec python -m sslslr "$@"\n' > "$CONDA_PREFIX/bin/sslslr"
chmod +x "$CONDA_PREFIX/bin/sslslr"
