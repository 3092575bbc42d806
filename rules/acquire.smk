# Stage acquire.
# Takes: seeded generators of the config, files of the user.
# Gives: {study}/raw/{dataset}.jsonl, one record a line.


rule synthesise:
    input:
        source_files,
    output:
        "<results>/{study}/raw/{dataset}.jsonl",
    log:
        "<logs>/{study}/synthesise/{dataset}.log",
    benchmark:
        "<benchmarks>/{study}/synthesise/{dataset}.tsv"
    wildcard_constraints:
        study=source_kind("weather"),
    conda:
        "../envs/data.yaml"
    params:
        settings=source_settings,
    message:
        "{wildcards.study}: generate the records of {wildcards.dataset}"
    shell:
        "python scripts/synthesise.py --settings {params.settings:q} --out {output:q} --log {log:q}"


rule fetch:
    input:
        source_files,
    output:
        "<results>/{study}/raw/{dataset}.jsonl",
    log:
        "<logs>/{study}/fetch/{dataset}.log",
    benchmark:
        "<benchmarks>/{study}/fetch/{dataset}.tsv"
    wildcard_constraints:
        study=source_kind("file"),
    conda:
        "../envs/data.yaml"
    params:
        settings=source_settings,
    message:
        "{wildcards.study}: read the records of {wildcards.dataset} from {input}"
    shell:
        "python scripts/fetch.py --settings {params.settings:q} --out {output:q} --log {log:q}"
