# Tables, figures and the page that holds them. They read metrics, predictions and histories alone.


rule report:
    input:
        REPORT_FILES,


TRAINED = [run_id for run_id, run in RUNS.items() if run.dataset != NO_DATASET]
FIRST_DATASET = next(iter(STUDY.datasets))
FIRST_STEPS = next(iter(STUDY.augmentations.values()))


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
    log:
        f"{RESULTS}/logs/report/linear.log",
    conda:
        "../../environment.yml"
    params:
        stem=subpath(output[0], strip_suffix=".csv"),
        code=report_code("linear"),
    shell:
        "sslslr report table {input.metrics} --paper {input.paper} --stem {params.stem}"
        " > {log} 2>&1"


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
    params:
        stem=subpath(output[0], strip_suffix=".pdf"),
        code=report_code("training"),
    shell:
        "sslslr report training {input.histories} --stem {params.stem} > {log} 2>&1"


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
    params:
        store=subpath(input[0], parent=True),
        stem=subpath(output[0], strip_suffix=".pdf"),
        preprocess=STUDY.preprocess.model_dump_json(),
        steps=stages.as_json(FIRST_STEPS),
        code=report_code("clip"),
    shell:
        "sslslr report clip --store {params.store} --preprocess {params.preprocess:q}"
        " --steps {params.steps:q} --stem {params.stem} > {log} 2>&1"


rule render_report:
    input:
        table=f"{RESULTS}/tables/linear.csv",
        figures=[f"{RESULTS}/figures/{name}.png" for name in ("training", "clip")],
        runs=each_run(f"{RESULTS}/encoders/{{run}}/run.json"),
        cards=[f"{RESULTS}/data/{name}/clips/card.json" for name in STUDY.datasets],
    output:
        report(
            f"{RESULTS}/report.html", caption="../report/report.rst", category="Report"
        ),
    log:
        f"{RESULTS}/logs/report/html.log",
    conda:
        "../../environment.yml"
    params:
        config=STUDY.model_dump_json(),
        figures=lambda wildcards, input: [f"--figure {path}" for path in input.figures],
        cards=lambda wildcards, input: [f"--card {path}" for path in input.cards],
        code=report_code("html"),
    shell:
        "sslslr report html {input.runs} --config-json {params.config:q} --table {input.table}"
        " {params.figures} {params.cards} --out {output} > {log} 2>&1"
