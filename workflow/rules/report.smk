# Tables, figures and the page that holds them. They read metrics, predictions and histories alone.


rule report:
    input:
        REPORT_FILES,


TRAINED = [run_id for run_id, run in RUNS.items() if run.dataset != NO_DATASET]
TARGETS_JSON = stages.as_json(
    {name: target.model_dump() for name, target in STUDY.evaluate.targets.items()}
)
NOTE = wording.study_note(
    STUDY.name,
    STUDY.note,
    {name: target.model_dump() for name, target in STUDY.evaluate.targets.items()},
)
FIRST_DATASET = next(iter(STUDY.datasets))
FIRST_STEPS = next(iter(STUDY.augmentations.values()), [])
# The encoder whose embedding and confusions are drawn: the first that was pretrained, on its own set
# where that is a target.
EXAMPLE_RUN = (TRAINED or list(RUNS))[0]
EXAMPLE_TARGETS = EVALUATIONS[EXAMPLE_RUN].targets
EXAMPLE_TARGET = RUNS[EXAMPLE_RUN].dataset
if EXAMPLE_TARGET not in EXAMPLE_TARGETS:
    EXAMPLE_TARGET = next(iter(EXAMPLE_TARGETS))
EXAMPLE_DATASET = EXAMPLE_TARGETS[EXAMPLE_TARGET].dataset


rule render_linear_table:
    input:
        metrics=each_run(f"{RESULTS}/metrics/{{run}}/metrics.csv"),
        predictions=each_run(f"{RESULTS}/metrics/{{run}}/predictions.parquet"),
        paper="config/paper_numbers.yaml",
    output:
        report(
            multiext(f"{RESULTS}/tables/linear", ".csv", ".md", ".tex"),
            caption="../report/linear.rst",
            category="Tables",
        ),
        summary=f"{RESULTS}/tables/summary.json",
    log:
        f"{RESULTS}/logs/report/linear.log",
    conda:
        "../../environment.yml"
    resources:
        **asks("report"),
    params:
        stem=subpath(output[0], strip_suffix=".csv"),
        note=NOTE,
        seal=seal("report", "table"),
        code=report_code("linear"),
    shell:
        "sslslr --seal {params.seal} report table {input.metrics} --paper {input.paper} --stem {params.stem}"
        " --summary {output.summary} --note {params.note:q} > {log} 2>&1"


rule render_training_curves:
    input:
        histories=[f"{RESULTS}/encoders/{run_id}/history.csv" for run_id in TRAINED],
    output:
        report(
            multiext(f"{RESULTS}/figures/training", ".pdf", ".png"),
            caption="../report/training.rst",
            category="Figures",
        ),
    log:
        f"{RESULTS}/logs/report/training.log",
    conda:
        "../../environment.yml"
    resources:
        **asks("report"),
    params:
        stem=subpath(output[0], strip_suffix=".pdf"),
        spread=STUDY.pretrain.collapse_spread,
        rank=STUDY.pretrain.collapse_rank,
        seal=seal("report", "training"),
        code=report_code("training"),
    shell:
        "sslslr --seal {params.seal} report training {input.histories} --collapse-spread {params.spread}"
        " --collapse-rank {params.rank} --stem {params.stem} > {log} 2>&1"


rule render_clip_picture:
    input:
        store_files(FIRST_DATASET),
    output:
        report(
            multiext(f"{RESULTS}/figures/clip", ".pdf", ".png"),
            caption="../report/clip.rst",
            category="Figures",
        ),
    log:
        f"{RESULTS}/logs/report/clip.log",
    conda:
        "../../environment.yml"
    resources:
        **asks("report"),
    params:
        store=subpath(input[0], parent=True),
        stem=subpath(output[0], strip_suffix=".pdf"),
        preprocess=STUDY.preprocess.model_dump_json(),
        steps=stages.as_json(FIRST_STEPS),
        seal=seal("report", "clip"),
        code=report_code("clip"),
    shell:
        "sslslr --seal {params.seal} report clip --store {params.store} --preprocess {params.preprocess:q}"
        " --steps {params.steps:q} --stem {params.stem} > {log} 2>&1"


rule render_verdicts:
    input:
        metrics=each_run(f"{RESULTS}/metrics/{{run}}/metrics.csv"),
        predictions=each_run(f"{RESULTS}/metrics/{{run}}/predictions.parquet"),
        claims="config/claims.yaml",
    output:
        report(
            multiext(f"{RESULTS}/tables/verdicts", ".csv", ".md", ".tex"),
            caption="../report/verdicts.rst",
            category="Verdicts",
        ),
        report(
            multiext(f"{RESULTS}/tables/verdicts_comparisons", ".csv", ".md", ".tex"),
            caption="../report/verdicts.rst",
            category="Verdicts",
        ),
    log:
        f"{RESULTS}/logs/report/verdicts.log",
    conda:
        "../../environment.yml"
    resources:
        **asks("report"),
    params:
        stem=subpath(output[0], strip_suffix=".csv"),
        note=NOTE,
        seal=seal("report", "verdict"),
        code=report_code("verdicts"),
    shell:
        "sslslr --seal {params.seal} report verdict {input.metrics} --claims {input.claims} --stem {params.stem}"
        " --note {params.note:q} > {log} 2>&1"


rule render_differences:
    input:
        metrics=each_run(f"{RESULTS}/metrics/{{run}}/metrics.csv"),
        predictions=each_run(f"{RESULTS}/metrics/{{run}}/predictions.parquet"),
    output:
        report(
            multiext(f"{RESULTS}/tables/ablations", ".csv", ".md", ".tex"),
            caption="../report/ablations.rst",
            category="Tables",
        ),
        report(
            multiext(f"{RESULTS}/tables/signer_gap", ".csv", ".md", ".tex"),
            caption="../report/signer_gap.rst",
            category="Tables",
        ),
    log:
        f"{RESULTS}/logs/report/differences.log",
    conda:
        "../../environment.yml"
    resources:
        **asks("report"),
    params:
        folder=subpath(output[0], parent=True),
        targets=TARGETS_JSON,
        note=NOTE,
        seal=seal("report", "differences"),
        code=report_code("differences"),
    shell:
        "sslslr --seal {params.seal} report differences {input.metrics} --targets {params.targets:q}"
        " --note {params.note:q} --folder {params.folder} > {log} 2>&1"


rule render_results:
    input:
        metrics=each_run(f"{RESULTS}/metrics/{{run}}/metrics.csv"),
    output:
        semi=report(
            multiext(f"{RESULTS}/figures/semi_supervised", ".pdf", ".png"),
            caption="../report/semi_supervised.rst",
            category="Figures",
        ),
        transfer=report(
            multiext(f"{RESULTS}/figures/transfer", ".pdf", ".png"),
            caption="../report/transfer.rst",
            category="Figures",
        ),
        table=report(
            multiext(f"{RESULTS}/tables/few_labels", ".csv", ".md", ".tex"),
            caption="../report/few_labels.rst",
            category="Tables",
        ),
    log:
        f"{RESULTS}/logs/report/results.log",
    conda:
        "../../environment.yml"
    resources:
        **asks("report"),
    params:
        folder=subpath(output[0], parent=True),
        table=subpath(output[4], strip_suffix=".csv"),
        note=NOTE,
        seal=seal("report", "results"),
        code=report_code("results"),
    shell:
        "sslslr --seal {params.seal} report results {input.metrics} --folder {params.folder}"
        " --table {params.table} --note {params.note:q} > {log} 2>&1"


rule render_ablations:
    input:
        metrics=each_run(f"{RESULTS}/metrics/{{run}}/metrics.csv"),
        ablations=f"{RESULTS}/tables/ablations.csv",
    output:
        report(
            multiext(f"{RESULTS}/figures/ablations", ".pdf", ".png"),
            caption="../report/ablations.rst",
            category="Figures",
        ),
        report(
            multiext(f"{RESULTS}/figures/views", ".pdf", ".png"),
            caption="../report/views.rst",
            category="Figures",
        ),
    log:
        f"{RESULTS}/logs/report/ablations.log",
    conda:
        "../../environment.yml"
    resources:
        **asks("report"),
    params:
        folder=subpath(output[0], parent=True),
        seal=seal("report", "ablation-figures"),
        code=report_code("ablations"),
    shell:
        "sslslr --seal {params.seal} report ablation-figures {input.metrics} --ablations {input.ablations}"
        " --folder {params.folder} > {log} 2>&1"


rule render_augmentations:
    input:
        store_files(FIRST_DATASET),
    output:
        report(
            multiext(f"{RESULTS}/figures/augmentations", ".pdf", ".png"),
            caption="../report/augmentations.rst",
            category="Figures",
        ),
    log:
        f"{RESULTS}/logs/report/augmentations.log",
    conda:
        "../../environment.yml"
    resources:
        **asks("report"),
    params:
        store=subpath(input[0], parent=True),
        stem=subpath(output[0], strip_suffix=".pdf"),
        preprocess=STUDY.preprocess.model_dump_json(),
        augmentations=stages.as_json(STUDY.augmentations),
        seal=seal("report", "augmentations"),
        code=report_code("augmentations"),
    shell:
        "sslslr --seal {params.seal} report augmentations --store {params.store} --preprocess {params.preprocess:q}"
        " --augmentations {params.augmentations:q} --stem {params.stem} > {log} 2>&1"


rule render_example:
    input:
        features=f"{RESULTS}/features/{EXAMPLE_RUN}",
        predictions=f"{RESULTS}/metrics/{EXAMPLE_RUN}/predictions.parquet",
        clips=store_files(EXAMPLE_DATASET),
    output:
        embedding=report(
            multiext(f"{RESULTS}/figures/embedding", ".pdf", ".png"),
            caption="../report/embedding.rst",
            category="Figures",
        ),
        confusions=report(
            multiext(f"{RESULTS}/figures/confusions", ".pdf", ".png"),
            caption="../report/confusions.rst",
            category="Figures",
        ),
    log:
        f"{RESULTS}/logs/report/example.log",
    conda:
        "../../environment.yml"
    resources:
        **asks("report"),
    params:
        target=EXAMPLE_TARGET,
        store=lambda wildcards, input: os.path.dirname(input.clips[0]),
        folder=subpath(output[0], parent=True),
        preprocess=RUNS[EXAMPLE_RUN].preprocess.model_dump_json(),
        settings=EXAMPLE_TARGETS[EXAMPLE_TARGET].model_dump_json(),
        seal=seal("report", "example"),
        code=report_code("example"),
    shell:
        "sslslr --seal {params.seal} report example --features {input.features}"
        " --predictions {input.predictions} --store {params.store} --preprocess {params.preprocess:q}"
        " --dataset {params.target} --target {params.settings:q} --folder {params.folder}"
        " > {log} 2>&1"


rule render_report:
    input:
        verdicts=f"{RESULTS}/tables/verdicts.csv",
        comparisons=f"{RESULTS}/tables/verdicts_comparisons.csv",
        table=f"{RESULTS}/tables/linear.csv",
        few_labels=f"{RESULTS}/tables/few_labels.csv",
        ablations=f"{RESULTS}/tables/ablations.csv",
        gap=f"{RESULTS}/tables/signer_gap.csv",
        figures=[f"{RESULTS}/figures/{name}.png" for name in REPORT_FIGURES],
        runs=each_run(f"{RESULTS}/encoders/{{run}}/run.json"),
        cards=[f"{RESULTS}/data/{name}/clips/card.json" for name in STUDY.datasets],
    output:
        report(
            multiext(f"{RESULTS}/tables/cost", ".csv", ".md", ".tex"),
            caption="../report/cost.rst",
            category="Tables",
        ),
        page=report(
            f"{RESULTS}/report.html", caption="../report/report.rst", category="Report"
        ),
    log:
        f"{RESULTS}/logs/report/html.log",
    conda:
        "../../environment.yml"
    resources:
        **asks("report"),
    params:
        config=STUDY.model_dump_json(),
        figures=lambda wildcards, input: [f"--figure {path}" for path in input.figures],
        cards=lambda wildcards, input: [f"--card {path}" for path in input.cards],
        cost=subpath(output[0], strip_suffix=".csv"),
        seal=seal("report", "html"),
        code=report_code("html"),
    shell:
        "sslslr --seal {params.seal} report html {input.runs} --config-json {params.config:q} --table {input.table}"
        " --verdicts {input.verdicts} --comparisons {input.comparisons}"
        " --few-labels {input.few_labels} --ablations {input.ablations} --signer-gap {input.gap}"
        " {params.figures} {params.cards} --cost {params.cost} --out {output.page} > {log} 2>&1"


rule render_provenance:
    input:
        runs=each_run(f"{RESULTS}/encoders/{{run}}/run.json"),
        histories=each_run(f"{RESULTS}/encoders/{{run}}/history.csv"),
        evaluations=each_run(f"{RESULTS}/metrics/{{run}}/evaluation.json"),
        cards=[f"{RESULTS}/data/{name}/clips/card.json" for name in STUDY.datasets],
        made=RENDERED,
    output:
        f"{RESULTS}/provenance.json",
    log:
        f"{RESULTS}/logs/report/provenance.log",
    conda:
        "../../environment.yml"
    resources:
        **asks("report"),
    params:
        config=STUDY.model_dump_json(),
        cards=lambda wildcards, input: [f"--card {path}" for path in input.cards],
        made=lambda wildcards, input: [f"--made {path}" for path in input.made],
        seal=seal("report", "provenance"),
        code=report_code("provenance"),
    shell:
        "sslslr --seal {params.seal} report provenance {input.runs}"
        " --config-json {params.config:q} {params.cards} {params.made} --out {output}"
        " > {log} 2>&1"
