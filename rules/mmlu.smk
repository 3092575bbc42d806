# General ability before and after tuning, a part of stage evaluate.
# Takes: a base with the adapters that are put on it, or merged weights; questions of the hub or of
# a folder.
# Gives: {study}/mmlu/{model}.json, {study}/mmlu.{csv,md,html}.


# One job a set of weights, as in predict.
for session in MMLU_SESSIONS:

    rule:
        name:
            f"mmlu_{session['study']}_{session['name']}"
        input:
            session["weights"],
            session["questions"],
        output:
            session["outcomes"],
        log:
            f"<logs>/{session['study']}/mmlu/{session['name']}.log",
        benchmark:
            f"<benchmarks>/{session['study']}/mmlu/{session['name']}.tsv"
        conda:
            session["environment"]
        threads: MACHINE["threads"]
        resources:
            gpu=MACHINE["gpu"],
            gpu_model=MACHINE["gpu_model"],
            mem_mb=growing(MACHINE["mem_mb"]),
            runtime=MACHINE["runtime"],
        params:
            settings=session["settings"],
            arguments=session["arguments"],
        message:
            f"{session['study']}: MMLU of {', '.join(session['models'])}"
        shell:
            "python scripts/mmlu.py --settings {params.settings:q} {params.arguments:q}"
            " --gpus {resources.gpu} --threads {threads} --log {log:q}"


rule tabulate_mmlu:
    input:
        outcomes_of_mmlu,
    output:
        csv="<results>/{study}/mmlu.csv",
        markdown="<results>/{study}/mmlu.md",
        html=report(
            "<results>/{study}/mmlu.html",
            caption="../report/mmlu.rst",
            category="{study}",
            subcategory="Accuracy",
            labels={"what": "general ability"},
        ),
    log:
        "<logs>/{study}/tabulate_mmlu.log",
    benchmark:
        "<benchmarks>/{study}/tabulate_mmlu.tsv"
    wildcard_constraints:
        study=any_of(name for name, study in STUDIES.items() if study["mmlu"]),
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        settings=mmlu_table_settings,
        code=code_of("tabulate_mmlu"),
    message:
        "{wildcards.study}: write the table of general ability"
    shell:
        "python scripts/tabulate_mmlu.py --settings {params.settings:q} --outcomes {input:q}"
        " --csv {output.csv:q} --markdown {output.markdown:q} --html {output.html:q} --log {log:q}"
