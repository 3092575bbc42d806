# Stage merge.
# Takes: a base and adapters trained on it.
# Gives: {study}/combined/{model}/, a weighted sum of adapters, itself an adapter, with its distance
# from the exact sum; {study}/merged/{model}/, full weights whose logits were compared with the
# unmerged model's.


rule combine_adapters:
    input:
        base=base_of_model,
        recipes=parts_of_model("recipe.yaml"),
        adapters=parts_of_model("adapter_model.safetensors"),
        configs=parts_of_model("adapter_config.json"),
    output:
        weights="<results>/{study}/combined/{model}/adapter_model.safetensors",
        config="<results>/{study}/combined/{model}/adapter_config.json",
        facts="<results>/{study}/combined/{model}/combination.json",
    log:
        "<logs>/{study}/combine_adapters/{model}.log",
    benchmark:
        "<benchmarks>/{study}/combine_adapters/{model}.tsv"
    wildcard_constraints:
        study=studies_where("models", "combined/{name}/", is_combined),
    conda:
        "../envs/train.yaml"
    params:
        settings=combine_settings,
        adapters=folders_of_parts,
        folder=subpath(output.weights, parent=True),
    message:
        "{wildcards.study}: add up the adapters of model {wildcards.model}"
    shell:
        "python scripts/combine_adapters.py --settings {params.settings:q} --base {input.base:q}"
        " --adapters {params.adapters:q} --recipes {input.recipes:q} --out {params.folder:q}"
        " --log {log:q}"


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
        mem_mb=MACHINE["mem_mb"],
        runtime=MACHINE["runtime"],
    params:
        adapter=subpath(input.adapter, parent=True),
        folder=subpath(output.weights, parent=True),
    message:
        "{wildcards.study}: merge the adapter of model {wildcards.model} into its base"
    shell:
        "python scripts/merge_adapter.py --base {input.base:q} --recipe {input.recipe:q}"
        " --adapter {params.adapter:q} --records {input.records:q} --out {params.folder:q}"
        " --threads {threads} --log {log:q}"
