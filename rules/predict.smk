# Stage predict.
# Takes: a model (a base, an adapter on it, or merged weights) and one split of a dataset.
# Gives: {study}/predictions/{model}/{dataset}/{split}.jsonl, all responses with their prompts.


def predict_settings(wildcards):
    study = STUDIES[wildcards.study]
    return json.dumps(
        {
            "model": wildcards.model,
            "sampling": study["sampling"],
            "prompt": study["prompts"][item(wildcards, "datasets")["prompt"]],
        },
        ensure_ascii=False,
    )


def model_files(wildcards):
    """The files that a model consists of, by the name of predict.py's option."""
    model = item(wildcards, "models")
    files = {"base": f"<results>/bases/{model['base']}/source.json"}
    if is_merged(model):
        files["merged"] = f"<results>/{{study}}/merged/{{model}}/manifest.json"
    elif model["adapter"]:
        folder = f"<results>/{{study}}/adapters/{model['adapter']}"
        files["recipe"] = f"{folder}/recipe.yaml"
        files["adapter"] = f"{folder}/adapter_model.safetensors"
    return files


def model_arguments(wildcards, input):
    """predict.py's options for the model: folders stand for the weights in them."""
    named = {"--base": input.base}
    if "recipe" in input.keys():
        named["--recipe"] = input.recipe
    for kind in ("adapter", "merged"):
        if kind in input.keys():
            named[f"--{kind}"] = str(Path(input[kind]).parent)
    return [part for pair in named.items() for part in pair]


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
