# Stage merge.
# Takes: a base and adapters trained on it.
# Gives: {study}/combined/{model}/, a weighted sum of adapters, itself an adapter, with its distance
# from the exact sum; {study}/merged/{model}/, full weights whose logits were compared with the
# unmerged model's.


# One job a study adds up all of its adapters.
for study in filter(sums_of, STUDIES):

    rule:
        name:
            f"combine_adapters_{study}"
        input:
            summed_files(study),
        output:
            combined_files(study),
        log:
            f"<logs>/{study}/combine_adapters.log",
        benchmark:
            f"<benchmarks>/{study}/combine_adapters.tsv"
        conda:
            "../envs/train.yaml"
        resources:
            gpu=0,
            mem_mb=growing(4000),
            runtime=60,
        params:
            settings=combine_settings(study),
        message:
            f"{study}: add up adapters"
        shell:
            "python scripts/combine_adapters.py --settings {params.settings:q}"
            " --gpus {resources.gpu} --log {log:q}"


rule merge_adapter:
    input:
        base=base_of_model,
        recipe=recipe_of_first_part,
        adapter=adapter_file("adapter_model.safetensors"),
        config=adapter_file("adapter_config.json"),
        records=parity_records,
    output:
        weights="<results>/{study}/merged/{model}/model.safetensors",
        config="<results>/{study}/merged/{model}/config.json",
        tokenizer="<results>/{study}/merged/{model}/tokenizer.json",
        manifest="<results>/{study}/merged/{model}/manifest.json",
        parity=report(
            "<results>/{study}/merged/{model}/parity.json",
            caption="../report/parity.rst",
            category="{study}",
            subcategory="Training",
            labels={"adapter": "{model}", "what": "merged against unmerged"},
        ),
    log:
        "<logs>/{study}/merge_adapter/{model}.log",
    benchmark:
        "<benchmarks>/{study}/merge_adapter/{model}.tsv"
    wildcard_constraints:
        study=studies_where("models", "merged/{name}/", is_merged),
    conda:
        "../envs/train.yaml"
    threads: MACHINE["threads"]
    resources:
        gpu=MACHINE["gpu"],
        gpu_model=MACHINE["gpu_model"],
        mem_mb=growing(MACHINE["mem_mb"]),
        runtime=MACHINE["runtime"],
    params:
        adapter=subpath(input.adapter, parent=True),
        folder=subpath(output.weights, parent=True),
    message:
        "{wildcards.study}: merge the adapter of model {wildcards.model} into its base"
    shell:
        "python scripts/merge_adapter.py --base {input.base:q} --recipe {input.recipe:q}"
        " --adapter {params.adapter:q} --records {input.records:q} --out {params.folder:q}"
        " --gpus {resources.gpu} --threads {threads} --log {log:q}"
