# Stage distill.
# Takes: {study}/data/{dataset}/{split}.jsonl and a teacher.
# Gives: {study}/cot/{dataset}/{split}.jsonl, the records with the teacher's reasoning, and
# ….rejected.jsonl, those whose reasoning failed the checks, with the reasons.


rule distill:
    input:
        "<results>/{study}/data/{dataset}/{split}.jsonl",
    output:
        kept="<results>/{study}/cot/{dataset}/{split}.jsonl",
        rejected="<results>/{study}/cot/{dataset}/{split}.rejected.jsonl",
        metrics=report(
            "<results>/{study}/cot/{dataset}/{split}.metrics.json",
            caption="../report/distill.rst",
            category="{study}",
            subcategory="Data",
            labels={"dataset": "{dataset}", "what": "reasoning for {split}"},
        ),
    log:
        "<logs>/{study}/distill/{dataset}/{split}.log",
    benchmark:
        "<benchmarks>/{study}/distill/{dataset}/{split}.tsv"
    wildcard_constraints:
        study=studies_where("datasets", "cot/{name}/", is_distilled),
        split="train|validation",
    localrule: True
    conda:
        "../envs/api.yaml"
    resources:
        api=1,
    params:
        settings=distill_settings,
    message:
        "{wildcards.study}: a teacher explains {wildcards.dataset}/{wildcards.split}"
    shell:
        "python scripts/distill.py --settings {params.settings:q} --records {input:q}"
        " --out {output.kept:q} --rejected {output.rejected:q} --metrics {output.metrics:q}"
        " --journal .snaketune/journal --ledger .snaketune/ledger --log {log:q}"
