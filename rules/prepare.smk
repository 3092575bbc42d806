# Stage prepare.
# Takes: {study}/raw/{dataset}.jsonl, records or a bank's questions.
# Gives: {study}/data/{dataset}/{train,validation,test}.jsonl, split by group, and quality.json;
# {study}/quality.json: what a study's training data have in common with what it is asked;
# {study}/data/{dataset}/duplicates.html: which questions of a bank are one.


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
    wildcard_constraints:
        study=studies_where(
            "datasets", "clean/{name}.json", lambda dataset: not is_questions(dataset)
        ),
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        settings=clean_settings,
    message:
        "{wildcards.study}: find repeated records of {wildcards.dataset}"
    shell:
        "python scripts/clean.py --settings {params.settings:q} --raw {input:q} --out {output.records:q}"
        " --counts {output.counts:q} --log {log:q}"


rule deduplicate:
    input:
        "<results>/{study}/raw/{dataset}.jsonl",
    output:
        records="<results>/{study}/clean/{dataset}.jsonl",
        counts="<results>/{study}/clean/{dataset}.json",
        examples="<results>/{study}/clean/{dataset}.examples.json",
    log:
        "<logs>/{study}/deduplicate/{dataset}.log",
    benchmark:
        "<benchmarks>/{study}/deduplicate/{dataset}.tsv"
    wildcard_constraints:
        study=source_kind("questions", path="clean/{name}."),
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        settings=deduplicate_settings,
    message:
        "{wildcards.study}: find what is one question in {wildcards.dataset}"
    shell:
        "python scripts/deduplicate.py --settings {params.settings:q} --raw {input:q}"
        " --out {output.records:q} --counts {output.counts:q} --examples {output.examples:q}"
        " --log {log:q}"


rule split:
    input:
        records=clean_file("jsonl"),
        counts=clean_file("json"),
        facts=raw_facts,
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
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        settings=split_settings,
    message:
        "{wildcards.study}: split {wildcards.dataset} by group"
    shell:
        "python scripts/split.py --settings {params.settings:q} --clean {input.records:q}"
        " --counts {input.counts:q} --facts {input.facts:q} --train {output.train:q}"
        " --validation {output.validation:q} --test {output.test:q} --quality {output.quality:q} --log {log:q}"


rule show_duplicates:
    input:
        quality=rules.split.output.quality,
        examples=clean_file("examples.json"),
    output:
        report(
            "<results>/{study}/data/{dataset}/duplicates.html",
            caption="../report/duplicates.rst",
            category="{study}",
            subcategory="Data",
            labels={"dataset": "{dataset}", "what": "duplicates, near twins, conflicts"},
        ),
    log:
        "<logs>/{study}/show_duplicates/{dataset}.log",
    benchmark:
        "<benchmarks>/{study}/show_duplicates/{dataset}.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        settings=duplicates_settings,
        code=code_of("show_duplicates"),
    message:
        "{wildcards.study}: show what is one question in {wildcards.dataset}"
    shell:
        "python scripts/show_duplicates.py --settings {params.settings:q} --quality {input.quality:q}"
        " --examples {input.examples:q} --html {output:q} --log {log:q}"


rule check_leaks:
    input:
        compared_splits,
    output:
        json="<results>/{study}/quality.json",
        html=report(
            "<results>/{study}/quality.html",
            caption="../report/leaks.rst",
            category="{study}",
            subcategory="Data",
            labels={"dataset": "all", "what": "leaks from training into evaluation"},
        ),
    log:
        "<logs>/{study}/check_leaks.log",
    benchmark:
        "<benchmarks>/{study}/check_leaks.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=60,
    params:
        settings=leak_settings,
        code=code_of("check_leaks"),
    message:
        "{wildcards.study}: look for evaluation records among those trained on"
    shell:
        "python scripts/check_leaks.py --settings {params.settings:q} --out {output.json:q}"
        " --html {output.html:q} --log {log:q}"
