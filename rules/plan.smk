# Before anything is spent: `snakemake plan` makes the data, asks nobody, and prints what models
# behind addresses will be asked and paid, and how much of that the journal has already.
# Takes: {study}/data/{dataset}/{split}.jsonl, the journal, the ledger.
# Gives: a table on the terminal, plan.json.


rule plan:
    input:
        list(dict.fromkeys(job["records"] for job in PLANNED)),
    log:
        "<logs>/plan.log",
    localrule: True
    conda:
        "../envs/api.yaml"
    params:
        settings=as_it_is(json.dumps({"jobs": PLANNED}, ensure_ascii=False)),
        out=f"results/{RUN}/plan.json",
    message:
        "what models behind addresses will be asked and paid"
    shell:
        "python scripts/plan.py --settings {params.settings:q} --journal .snaketune/journal"
        " --ledger .snaketune/ledger --out {params.out:q} --log {log:q}"
