# Stage predict.
# Takes: a model (a base, an adapter on it, or merged weights) and one split of a dataset.
# Gives: {study}/predictions/{model}/{dataset}/{split}.jsonl, all responses with their prompts.


rule predict:
    input:
        unpack(model_files),
        records="<results>/{study}/data/{dataset}/{split}.jsonl",
    output:
        responses="<results>/{study}/predictions/{model}/{dataset}/{split}.jsonl",
        metrics="<results>/{study}/predictions/{model}/{dataset}/{split}.metrics.json",
    log:
        "<logs>/{study}/predict/{model}/{dataset}/{split}.log",
    benchmark:
        "<benchmarks>/{study}/predict/{model}/{dataset}/{split}.tsv"
    conda:
        "../envs/train.yaml"
    threads: MACHINE["threads"]
    resources:
        gpu=MACHINE["gpu"],
        gpu_model=MACHINE["gpu_model"],
        mem_mb=MACHINE["mem_mb"],
        runtime=MACHINE["runtime"],
    params:
        settings=predict_settings,
        model=model_arguments,
    message:
        "{wildcards.study}: model {wildcards.model} answers {wildcards.dataset}/{wildcards.split}"
    shell:
        "python scripts/predict.py --settings {params.settings:q} {params.model:q}"
        " --records {input.records:q} --out {output.responses:q} --metrics {output.metrics:q}"
        " --journal .snaketune/journal --threads {threads} --log {log:q}"
