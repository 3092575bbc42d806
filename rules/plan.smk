# Before anything is spent: `snakemake plan` makes the data, asks nobody, and prints what models
# behind addresses will be asked and paid, and how much of that the journal has already.
# Takes: {study}/data/{dataset}/{split}.jsonl, the journal, the ledger.
# Gives: a table on the terminal, plan.json.


def planned_jobs():
    """What distill and predict will ask of addresses, as plan.py takes it."""
    for study, settings in STUDIES.items():
        for name, dataset in settings["datasets"].items():
            distill = dataset["distill"]
            if distill and distill["teacher"] in settings["endpoints"]:
                for split in distill["splits"]:
                    how = {key: distill[key] for key in ("sampling", "prompt", "attempts")}
                    yield planned_job(
                        study, distill["teacher"], name, split, purpose="distill", label=True, **how
                    )
        for model, name, split in evaluations_of(study):
            endpoint = settings["models"][model]["endpoint"]
            if endpoint:
                prompt = settings["prompts"][settings["datasets"][name]["prompt"]]
                prompt = {key: prompt[key] for key in ("system", "user")}
                how = {"sampling": settings["sampling"], "prompt": prompt}
                yield planned_job(
                    study, endpoint, name, split, purpose="predict", model=model, **how
                )


def planned_job(study, endpoint, dataset, split, **how):
    address = {"name": endpoint, "endpoint": STUDIES[study]["endpoints"][endpoint]}
    records = split_file(study, dataset, split)
    what = {"study": study, "dataset": dataset, "split": split, "records": records}
    return {**what, "endpoint": address, **how}


PLANNED = list(planned_jobs())


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
