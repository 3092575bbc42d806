# Stage acquire.
# Takes: seeded generators of the config, files of the user, datasets of a hub, pages of sites.
# Gives: {study}/raw/{dataset}.jsonl, one record a line, and .json, where they came from;
# {study}/pages/{site}/, what a site answered, and {study}/questions/{site}.jsonl, read from it.


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
    localrule: True
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
        study=source_kind("file", "table", "problems", "hub", "questions"),
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        settings=source_settings,
    message:
        "{wildcards.study}: read the records of {wildcards.dataset}"
    shell:
        "python scripts/fetch.py --settings {params.settings:q} --out {output.records:q}"
        " --facts {output.facts:q} --log {log:q}"


# Where the internet is: on a cluster, its head node.
rule crawl:
    output:
        pages="<results>/{study}/pages/{site}/pages.jsonl",
        manifest="<results>/{study}/pages/{site}/crawl.json",
    log:
        "<logs>/{study}/crawl/{site}.log",
    benchmark:
        "<benchmarks>/{study}/crawl/{site}.tsv"
    localrule: True
    conda:
        "../envs/crawl.yaml"
    params:
        settings=site_settings,
    message:
        "{wildcards.study}: crawl {wildcards.site}"
    shell:
        "python scripts/crawl.py --settings {params.settings:q} --pages {output.pages:q}"
        " --manifest {output.manifest:q} --store .snaketune/pages --log {log:q}"


rule parse_pages:
    input:
        pages=rules.crawl.output.pages,
        spider=spider_file,
    output:
        questions="<results>/{study}/questions/{site}.jsonl",
        counts="<results>/{study}/questions/{site}.json",
    log:
        "<logs>/{study}/parse_pages/{site}.log",
    benchmark:
        "<benchmarks>/{study}/parse_pages/{site}.tsv"
    localrule: True
    conda:
        "../envs/crawl.yaml"
    params:
        settings=site_settings,
    message:
        "{wildcards.study}: read the questions of {wildcards.site}"
    shell:
        "python scripts/parse_pages.py --settings {params.settings:q} --pages {input.pages:q}"
        " --out {output.questions:q} --counts {output.counts:q} --log {log:q}"
