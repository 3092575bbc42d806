# The input files of each job, and its slice of the config as --settings: a job is run again
# when its slice changes, and by no other edit of the config.


# --- acquire


def source_files(wildcards):
    """Files that a dataset's source reads."""
    source = item(wildcards, "datasets")["source"]
    return [source[key] for key in ("cities", "path") if source.get(key)]


def source_settings(wildcards):
    return json.dumps({"source": item(wildcards, "datasets")["source"]}, ensure_ascii=False)


# --- prepare


def split_settings(wildcards):
    return json.dumps({"split": item(wildcards, "datasets")["split"]})


# --- base


def base_settings(wildcards):
    return json.dumps({"name": wildcards.base, "base": BASES[wildcards.base]})


def pretrain_settings(wildcards):
    return json.dumps(BASES[wildcards.base]["settings"])


def base_files(wildcards):
    """Files that say that a folder of weights changed."""
    folder = Path(BASES[wildcards.base].get("path", "resources/tiny-base"))
    return sorted(
        str(path) for kind in ("safetensors", "json", "jinja") for path in folder.glob(f"*.{kind}")
    )


# --- train


def recipe_settings(wildcards):
    """All that decides a training run, apart from base and data: the recipe's content."""
    adapter = item(wildcards, "adapters")
    study = STUDIES[wildcards.study]
    prompt = study["datasets"][adapter["dataset"]]["prompt"]
    return json.dumps(
        {
            "study": wildcards.study,
            "name": wildcards.adapter,
            "adapter": adapter,
            "prompt": study["prompts"][prompt],
        },
        ensure_ascii=False,
    )


def base_of_adapter(wildcards):
    return f"<results>/bases/{item(wildcards, 'adapters')['base']}/source.json"


def training_split(split):
    def path(wildcards):
        return f"<results>/{{study}}/data/{item(wildcards, 'adapters')['dataset']}/{split}.jsonl"

    return path


# --- merge


def base_of_model(wildcards):
    return f"<results>/bases/{item(wildcards, 'models')['base']}/source.json"


def adapter_file(name):
    def path(wildcards):
        return f"<results>/{{study}}/adapters/{item(wildcards, 'models')['adapter']}/{name}"

    return path


def parity_records(wildcards):
    """Prompts for the comparison of logits: what the adapter was validated on, else trained on."""
    adapter = STUDIES[wildcards.study]["adapters"][item(wildcards, "models")["adapter"]]
    share = STUDIES[wildcards.study]["datasets"][adapter["dataset"]]["split"]["validation"]
    split = "validation" if share else "train"
    return f"<results>/{{study}}/data/{adapter['dataset']}/{split}.jsonl"


# --- predict


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


# --- evaluate


def score_settings(wildcards):
    study = STUDIES[wildcards.study]
    return json.dumps(
        {
            "study": wildcards.study,
            "model": wildcards.model,
            "dataset": wildcards.dataset,
            "split": wildcards.split,
            "baseline": study["baseline"],
            "extract": item(wildcards, "datasets")["extract"],
            "responses_per_record": study["sampling"]["responses_per_record"],
        }
    )


def baseline_answers(wildcards):
    baseline = STUDIES[wildcards.study]["baseline"]
    return f"<results>/{{study}}/answers/{baseline}/{{dataset}}/{{split}}.jsonl"


def recipe_of_model(wildcards):
    adapter = item(wildcards, "models")["adapter"]
    return f"<results>/{{study}}/adapters/{adapter}/recipe.yaml" if adapter else []


def recipe_argument(wildcards, input):
    return ["--recipe", input.recipe] if input.recipe else []


# --- report


def scores_of_study(wildcards):
    return [
        f"<results>/{{study}}/scores/{model}/{dataset}/{split}.json"
        for model, dataset, split in evaluations_of(wildcards.study)
    ]


def table_settings(wildcards):
    study = STUDIES[wildcards.study]
    return json.dumps(
        {
            "study": wildcards.study,
            "title": study["title"],
            "note": config["note"],
            "published": study["published"],
            "models": list(study["models"]),
            "baseline": study["baseline"],
            "scale": config["scale"],
            "run": RUN,
        },
        ensure_ascii=False,
    )


def title_settings(wildcards):
    return json.dumps({"title": STUDIES[wildcards.study]["title"]}, ensure_ascii=False)


def losses_of_study(wildcards):
    return [
        f"<results>/{{study}}/adapters/{adapter}/loss.csv"
        for adapter in STUDIES[wildcards.study]["adapters"]
    ]


def loss_arguments(wildcards, input):
    """`adapter=file` for each curve."""
    return [f"{Path(path).parent.name}={path}" for path in input]
