# Stage prepare.
# Takes: {study}/raw/{dataset}.jsonl.
# Gives: {study}/data/{dataset}/{train,validation,test}.jsonl, split by group, and quality.json.


rule clean:
    input:
        "<results>/{study}/raw/{dataset}.jsonl",
    output:
        records="<results>/{study}/clean/{dataset}.jsonl",
        counts="<results>/{study}/clean/{dataset}.json",
    log:
        "<logs>/{study}/clean/{dataset}.log",
    benchmark:
        "<benchmarks>/{study}/clean/{dataset}.tsv"
    conda:
        "../envs/data.yaml"
    message:
        "{wildcards.study}: drop repeated records of {wildcards.dataset}"
    shell:
        "python scripts/clean.py --raw {input:q} --out {output.records:q}"
        " --counts {output.counts:q} --log {log:q}"


rule split:
    input:
        records=rules.clean.output.records,
        counts=rules.clean.output.counts,
    output:
        train="<results>/{study}/data/{dataset}/train.jsonl",
        validation="<results>/{study}/data/{dataset}/validation.jsonl",
        test="<results>/{study}/data/{dataset}/test.jsonl",
        quality=report(
            "<results>/{study}/data/{dataset}/quality.json",
            caption="../report/quality.rst",
            category="{study}",
            subcategory="Data",
            labels={"dataset": "{dataset}", "what": "counts and leakage"},
        ),
    log:
        "<logs>/{study}/split/{dataset}.log",
    benchmark:
        "<benchmarks>/{study}/split/{dataset}.tsv"
    conda:
        "../envs/data.yaml"
    params:
        settings=split_settings,
    message:
        "{wildcards.study}: split {wildcards.dataset} by group"
    shell:
        "python scripts/split.py --settings {params.settings:q} --clean {input.records:q}"
        " --counts {input.counts:q} --train {output.train:q} --validation {output.validation:q}"
        " --test {output.test:q} --quality {output.quality:q} --log {log:q}"
