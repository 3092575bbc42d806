# Stage base.
# Takes: a hub id, a folder, or the settings of a pretraining.
# Gives: bases/{base}/source.json, which says where the weights are and what they hash to.


rule locate_base:
    input:
        base_files,
    output:
        "<results>/bases/{base}/source.json",
    log:
        "<logs>/bases/locate_base/{base}.log",
    benchmark:
        "<benchmarks>/bases/locate_base/{base}.tsv"
    wildcard_constraints:
        base=any_of(bases_from("tiny", "local")),
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        settings=base_settings,
    message:
        "Check the weights of base {wildcards.base}"
    shell:
        "python scripts/locate_base.py --settings {params.settings:q} --out {output:q} --log {log:q}"


rule download_base:
    input:
        template_of_base,
    output:
        "<results>/bases/{base}/source.json",
    log:
        "<logs>/bases/download_base/{base}.log",
    benchmark:
        "<benchmarks>/bases/download_base/{base}.tsv"
    wildcard_constraints:
        base=any_of(bases_from("hub", "modelscope")),
    localrule: True
    conda:
        "../envs/train.yaml"
    params:
        settings=base_settings,
        folder=subpath(output[0], parent=True),
    message:
        "Download base {wildcards.base}"
    shell:
        "python scripts/download_base.py --settings {params.settings:q}"
        " --folder {params.folder:q}/model --out {output:q} --log {log:q}"


rule pretrain_tiny_base:
    input:
        exclude="resources/cities/cities.csv",
    output:
        "<results>/bases/{base}/source.json",
    log:
        "<logs>/bases/pretrain_tiny_base/{base}.log",
    benchmark:
        "<benchmarks>/bases/pretrain_tiny_base/{base}.tsv"
    wildcard_constraints:
        base=any_of(bases_from("pretrain")),
    conda:
        "../envs/train.yaml"
    threads: 2
    resources:
        gpu=0,
        mem_mb=growing(4000),
        runtime=240,
    params:
        settings=base_settings,
        pretraining=pretrain_settings,
        folder=subpath(output[0], parent=True),
    message:
        "Pretrain the tiny base {wildcards.base} from random weights"
    shell:
        "python scripts/pretrain_tiny_base.py --settings {params.pretraining:q}"
        " --exclude {input.exclude:q} --out {params.folder:q}/model --gpus {resources.gpu} --log {log:q}"
        " && python scripts/locate_base.py --settings {params.settings:q}"
        " --folder {params.folder:q}/model --out {output:q}"
