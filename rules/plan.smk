# Before anything is spent: `snakemake plan` makes the data, asks nobody, loads nothing, and prints
# what models behind addresses will be asked and paid, how much of that the journal has already, and
# what trainings and answers will take of GPUs and disk.
# Takes: {study}/data/{dataset}/{split}.jsonl, the journal, the ledger.
# Gives: tables on the terminal, plan.json, estimate.json.


rule estimate:
    input:
        ESTIMATED_FILES,
    output:
        json="<results>/estimate.json",
        text="<results>/estimate.txt",
    log:
        "<logs>/estimate.log",
    benchmark:
        "<benchmarks>/estimate.tsv"
    localrule: True
    conda:
        "../envs/train.yaml"
    params:
        settings=settings_of_all(ESTIMATED),
        there=what_is_there,
        code=code_of("estimate"),
    message:
        "what trainings and answers will take of GPUs and disk"
    shell:
        "python scripts/estimate.py --settings {params.settings:q} --out {output.json:q}"
        " --text {output.text:q} --log {log:q}"


rule plan:
    input:
        list(dict.fromkeys(job["records"] for job in PLANNED)),
        estimate=rules.estimate.output.text,
    log:
        "<logs>/plan.log",
    localrule: True
    conda:
        "../envs/api.yaml"
    params:
        settings=settings_of_all({"jobs": PLANNED}),
        out=f"results/{RUN}/plan.json",
    message:
        "what models behind addresses will be asked and paid"
    shell:
        "python scripts/plan.py --settings {params.settings:q} --journal .snaketune/journal"
        " --ledger .snaketune/ledger --out {params.out:q}"
        " --estimate {input.estimate:q} --log {log:q}"
