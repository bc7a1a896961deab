# Tables, figures and the page that holds them. They read what the stages wrote, and train nothing.


rule report:
    input:
        REPORT_FILES,


# All tables in one job with the figures that are drawn of them, the other figures in another job beside
# it: they go stale together, and each process would spend more on its imports than on its table
# (docs/design.md, decision 16).


rule tables:
    input:
        reads([*ALL_TABLES.values(), *CHARTS.values()]),
    output:
        *[
            report(
                f"{RESULTS}/tables/{name}.{kind}",
                caption="../report/caption.rst",
                category="Tables",
                labels={"table": table.title, "format": kind},
            )
            for name, table in ALL_TABLES.items()
            for kind in ("csv", "md", "tex")
        ],
        *drawn(CHARTS),
    log:
        f"{RESULTS}/logs/report/tables.log",
    conda:
        "../envs/study.yaml"
    resources:
        **asks("report"),
    params:
        results=lambda wildcards: RESULTS,
        study=lambda wildcards: SHOWN_STUDY,  # its braces are no wildcards
        caption=lambda wildcards: captions([*ALL_TABLES.values(), *CHARTS.values()]),
        seal=seal("report", "tables"),
        code=report_code(),
    shell:
        "sslslr --seal {params.seal} --outputs '{output}' report table --charts --results {params.results}"
        " --config-json {params.study:q} > {log} 2>&1"


rule figures:
    input:
        reads(DRAWINGS.values()),
    output:
        *drawn(DRAWINGS),
    log:
        f"{RESULTS}/logs/report/figures.log",
    conda:
        "../envs/study.yaml"
    resources:
        **asks("report"),
    params:
        results=lambda wildcards: RESULTS,
        study=lambda wildcards: SHOWN_STUDY,  # its braces are no wildcards
        caption=lambda wildcards: captions(DRAWINGS.values()),
        names=list(DRAWINGS),
        seal=seal("report", "figures"),
        code=report_code(),
    shell:
        "sslslr --seal {params.seal} --outputs '{output}' report figure {params.names} --results {params.results}"
        " --config-json {params.study:q} > {log} 2>&1"


rule page:
    input:
        tables=rules.tables.output,
        figures=rules.figures.output,
        runs=each_run(f"{RESULTS}/encoders/{{run}}/run.json"),
        cards=[f"{RESULTS}/data/{name}/clips/card.json" for name in STUDY.datasets],
    output:
        page=report(
            f"{RESULTS}/report.html",
            caption="../report/caption.rst",
            category="Report",
        ),
        numbers=[str(path) for path in REPORT.numbers()],  # for `dvc metrics`
    log:
        f"{RESULTS}/logs/report/page.log",
    conda:
        "../envs/study.yaml"
    resources:
        **asks("report"),
    params:
        results=lambda wildcards: RESULTS,
        study=lambda wildcards: SHOWN_STUDY,  # its braces are no wildcards
        caption="The whole study on one page: tables, figures, data cards, runs and configuration.",
        seal=seal("report", "page"),
        code=report_code(),
    shell:
        "sslslr --seal {params.seal} --outputs '{output}' report page --results {params.results}"
        " --config-json {params.study:q} > {log} 2>&1"


rule provenance:
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
        "../envs/study.yaml"
    resources:
        **asks("report"),
    params:
        results=lambda wildcards: RESULTS,
        study=lambda wildcards: SHOWN_STUDY,  # its braces are no wildcards
        seal=seal("report", "provenance"),
        code=report_code(),
    shell:
        "sslslr --seal {params.seal} --outputs '{output}' report provenance --results {params.results}"
        " --config-json {params.study:q} > {log} 2>&1"


rule model:
    input:
        runs=each_run(f"{RESULTS}/encoders/{{run}}/run.json"),
        weights=each_run(f"{RESULTS}/encoders/{{run}}/encoder.safetensors"),
        metrics=each_run(f"{RESULTS}/metrics/{{run}}/metrics.csv"),
        cards=[f"{RESULTS}/data/{name}/clips/card.json" for name in STUDY.datasets],
    output:
        directory(f"{RESULTS}/model"),
    log:
        f"{RESULTS}/logs/report/model.log",
    conda:
        "../envs/study.yaml"
    resources:
        **asks("report"),
    params:
        results=lambda wildcards: RESULTS,
        seal=seal("report", "model"),
        code=stages.code_hash(*stages.model_code(STUDY)),
    shell:
        "sslslr --seal {params.seal} --outputs '{output}' export {params.results} --out {output} > {log} 2>&1"
