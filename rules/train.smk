# Stage train.
# Takes: a base, {study}/data/{dataset}/{train,validation}.jsonl.
# Gives: {study}/adapters/{adapter}/recipe.yaml, then the adapter with its loss and metrics, and
# the table of its tensors.


rule write_recipe:
    output:
        "<results>/{study}/adapters/{adapter}/recipe.yaml",
    log:
        "<logs>/{study}/write_recipe/{adapter}.log",
    benchmark:
        "<benchmarks>/{study}/write_recipe/{adapter}.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        settings=recipe_settings,
    message:
        "{wildcards.study}: write the recipe of adapter {wildcards.adapter}"
    shell:
        "python scripts/write_recipe.py --settings {params.settings:q} --out {output:q} --log {log:q}"


rule train_adapter:
    input:
        recipe=rules.write_recipe.output[0],
        base=base_of_adapter,
        train=training_split("train"),
        validation=training_split("validation"),
        earlier=earlier_stage,
    output:
        weights="<results>/{study}/adapters/{adapter}/adapter_model.safetensors",
        config="<results>/{study}/adapters/{adapter}/adapter_config.json",
        loss="<results>/{study}/adapters/{adapter}/loss.csv",
        metrics=report(
            "<results>/{study}/adapters/{adapter}/metrics.json",
            caption="../report/training.rst",
            category="{study}",
            subcategory="Training",
            labels={"adapter": "{adapter}", "what": "speed, memory, versions"},
        ),
    log:
        "<logs>/{study}/train_adapter/{adapter}.log",
    benchmark:
        "<benchmarks>/{study}/train_adapter/{adapter}.tsv"
    conda:
        environment_of_training
    threads: MACHINE["threads"]
    resources:
        gpu=MACHINE["gpu"],
        gpu_model=MACHINE["gpu_model"],
        mem_mb=growing(MACHINE["mem_mb"]),
        runtime=MACHINE["runtime"],
        # a resource, since another parameter would train anew
        report_to=config["report_to"],
    params:
        folder=subpath(output.weights, parent=True),
        earlier=earlier_stage_argument,
    message:
        "{wildcards.study}: train adapter {wildcards.adapter}"
    shell:
        "python scripts/train_adapter.py --recipe {input.recipe:q} --base {input.base:q}"
        " --train {input.train:q} --validation {input.validation:q} {params.earlier:q} --out {params.folder:q}"
        " --checkpoints .snaketune/checkpoints --report-to {resources.report_to} --gpus {resources.gpu}"
        " --threads {threads} --log {log:q}"


rule inspect_adapter:
    input:
        "<results>/{study}/{made}/adapter_model.safetensors",
        "<results>/{study}/{made}/adapter_config.json",
    output:
        csv="<results>/{study}/{made}/tensors.csv",
        json="<results>/{study}/{made}/tensors.json",
        html=report(
            "<results>/{study}/{made}/tensors.html",
            caption="../report/tensors.rst",
            category="{study}",
            subcategory="Training",
            labels={"adapter": "{made}", "what": "tensors"},
        ),
    log:
        "<logs>/{study}/inspect_adapter/{made}.log",
    benchmark:
        "<benchmarks>/{study}/inspect_adapter/{made}.tsv"
    wildcard_constraints:
        made="(?:adapters|combined)/[^/]+",
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        settings=inspect_settings,
        folder=subpath(input[0], parent=True),
        code=code_of("inspect_adapter"),
    message:
        "{wildcards.study}: list the tensors of {wildcards.made}"
    shell:
        "python scripts/inspect_adapter.py --settings {params.settings:q}"
        " --adapter {params.folder:q} --csv {output.csv:q} --summary {output.json:q}"
        " --html {output.html:q} --log {log:q}"
