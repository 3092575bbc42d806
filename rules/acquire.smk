# Stage acquire.
# Takes: seeded generators of the config, files of the user, datasets of a hub.
# Gives: {study}/raw/{dataset}.jsonl, one record a line, and .json, where they came from.


rule synthesise:
    input:
        source_files,
    output:
        records="<results>/{study}/raw/{dataset}.jsonl",
        facts="<results>/{study}/raw/{dataset}.json",
    log:
        "<logs>/{study}/synthesise/{dataset}.log",
    benchmark:
        "<benchmarks>/{study}/synthesise/{dataset}.tsv"
    wildcard_constraints:
        study=source_kind("weather", "nli", "pairs", "puzzles"),
    conda:
        "../envs/data.yaml"
    params:
        settings=source_settings,
    message:
        "{wildcards.study}: generate the records of {wildcards.dataset}"
    shell:
        "python scripts/synthesise.py --settings {params.settings:q} --out {output.records:q}"
        " --facts {output.facts:q} --log {log:q}"


rule fetch:
    input:
        source_files,
    output:
        records="<results>/{study}/raw/{dataset}.jsonl",
        facts="<results>/{study}/raw/{dataset}.json",
    log:
        "<logs>/{study}/fetch/{dataset}.log",
    benchmark:
        "<benchmarks>/{study}/fetch/{dataset}.tsv"
    wildcard_constraints:
        study=source_kind("file", "table", "problems", "hub"),
    conda:
        "../envs/data.yaml"
    params:
        settings=source_settings,
    message:
        "{wildcards.study}: read the records of {wildcards.dataset}"
    shell:
        "python scripts/fetch.py --settings {params.settings:q} --out {output.records:q}"
        " --facts {output.facts:q} --log {log:q}"
