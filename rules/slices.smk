# The input files of each job, and its slice of the config as --settings: a job is run again
# when its slice changes, and by no other edit of the config.


# --- acquire


def source_files(wildcards):
    """Files that a dataset's source reads."""
    source = item(wildcards, "datasets")["source"]
    paths = [source[key] for key in ("cities", "path") if source.get(key)]
    return [
        file for path in paths for file in (path.values() if isinstance(path, dict) else [path])
    ]


def source_settings(wildcards):
    source = item(wildcards, "datasets")["source"]
    return json.dumps({"source": source, "dataset": wildcards.dataset}, ensure_ascii=False)


# --- prepare


def clean_settings(wildcards):
    dataset = item(wildcards, "datasets")
    return json.dumps({key: dataset[key] for key in ("duplicates", "split")})


def split_settings(wildcards):
    dataset = item(wildcards, "datasets")
    labels = dataset["extract"].get("labels")
    return json.dumps({"split": dataset["split"], "labels": labels}, ensure_ascii=False)


def split_file(study, dataset, split):
    return f"results/{RUN}/{study}/data/{dataset}/{split}.jsonl"


def trained_datasets(study):
    return list(
        dict.fromkeys(adapter["dataset"] for adapter in STUDIES[study]["adapters"].values())
    )


def asked_splits(study):
    """Every (dataset, split) that some model is asked."""
    return list(dict.fromkeys((dataset, split) for _, dataset, split in evaluations_of(study)))


def compared_splits(wildcards):
    """What a study trains on, and what it asks."""
    study = wildcards.study
    trained = [split_file(study, dataset, "train") for dataset in trained_datasets(study)]
    asked = [split_file(study, dataset, split) for dataset, split in asked_splits(study)]
    return list(dict.fromkeys(trained + asked))


def leak_settings(wildcards):
    study = wildcards.study
    return json.dumps(
        {
            "title": STUDIES[study]["title"],
            "training": [
                {"dataset": dataset, "path": split_file(study, dataset, "train")}
                for dataset in trained_datasets(study)
            ],
            "evaluation": [
                {"dataset": dataset, "split": split, "path": split_file(study, dataset, split)}
                for dataset, split in asked_splits(study)
            ],
        },
        ensure_ascii=False,
    )


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


def launcher(wildcards, resources):
    """What starts a training: one process a GPU where a job has several."""
    if resources.gpu > 1:
        return f"torchrun --standalone --nproc-per-node {resources.gpu} --"
    return "python"


def inspect_settings(wildcards):
    title = STUDIES[wildcards.study]["title"]
    name = wildcards.made.rpartition("/")[2]
    return json.dumps({"title": title, "adapter": name}, ensure_ascii=False)


# --- merge


def base_of_model(wildcards):
    return f"<results>/bases/{item(wildcards, 'models')['base']}/source.json"


def sums_of(study):
    """The sums of adapters that a study asks, as combine_adapters.py is told of them."""
    folder = f"results/{RUN}/{study}"
    models = STUDIES[study]["models"]
    return [
        {
            "model": name,
            "combine": models[name]["combine"],
            "base": f"results/{RUN}/bases/{models[name]['base']}/source.json",
            "adapters": [f"{folder}/adapters/{part}" for part in parts_of(models[name])],
            "recipes": [f"{folder}/adapters/{part}/recipe.yaml" for part in parts_of(models[name])],
            "out": f"{folder}/combined/{name}",
        }
        for name in asked_models(study)
        if is_combined(models[name])
    ]


def summed_files(study):
    """What goes into the sums of a study."""
    sums = sums_of(study)
    files = [one["base"] for one in sums] + [path for one in sums for path in one["recipes"]]
    folders = [folder for one in sums for folder in one["adapters"]]
    names = ("adapter_model.safetensors", "adapter_config.json")
    files += [f"{folder}/{name}" for folder in folders for name in names]
    return list(dict.fromkeys(files))


def combined_files(study):
    names = ("adapter_model.safetensors", "adapter_config.json", "combination.json")
    return [f"{one['out']}/{name}" for one in sums_of(study) for name in names]


def combine_settings(study):
    return as_it_is(json.dumps({"sums": sums_of(study)}))


def adapter_file(name):
    """A file of a model's adapter, trained or summed."""

    def path(wildcards):
        folder = adapter_folder(item(wildcards, "models"), wildcards.model)
        return f"<results>/{{study}}/{folder}/{name}"

    return path


def recipe_of_first_part(wildcards):
    """The recipe that says how the base is loaded; the parts of a sum agree in that."""
    return f"<results>/{{study}}/adapters/{parts_of(item(wildcards, 'models'))[0]}/recipe.yaml"


def parity_records(wildcards):
    """Prompts for the comparison of logits: what the adapter was validated on, else trained on."""
    study = STUDIES[wildcards.study]
    dataset = study["adapters"][parts_of(item(wildcards, "models"))[0]]["dataset"]
    split = study["datasets"][dataset]["split"]
    validated = split != "given" and split["validation"]
    return f"<results>/{{study}}/data/{dataset}/{'validation' if validated else 'train'}.jsonl"


# --- evaluate


def extract_settings(wildcards):
    return json.dumps({"extract": item(wildcards, "datasets")["extract"]}, ensure_ascii=False)


def asked_places(study):
    """`model/dataset/split` of every evaluation."""
    return ["/".join(evaluation) for evaluation in evaluations_of(study)]


def scores_wanted(study):
    """What score.py is told of each model's answers to each split."""
    settings, folder = STUDIES[study], f"results/{RUN}/{study}"
    for name, dataset, split in evaluations_of(study):
        model = settings["models"][name]
        place, adapter = f"{dataset}/{split}.jsonl", adapter_folder(model, name)
        made_of = {"combination" if is_combined(model) else "recipe": None}
        if adapter:
            file = "combination.json" if is_combined(model) else "recipe.yaml"
            made_of = {key: f"{folder}/{adapter}/{file}" for key in made_of}
        yield {
            "settings": {
                "study": study,
                "model": name,
                "dataset": dataset,
                "split": split,
                "baseline": settings["baseline"],
                "extract": settings["datasets"][dataset]["extract"],
                "responses_per_record": settings["sampling"]["responses_per_record"],
            },
            "answers": f"{folder}/answers/{name}/{place}",
            "baseline": f"{folder}/answers/{settings['baseline']}/{place}",
            "out": f"{folder}/scores/{name}/{dataset}/{split}.json",
            **made_of,
        }


def scored_files(study):
    keys = ("answers", "baseline", "recipe", "combination")
    files = [one.get(key) for one in scores_wanted(study) for key in keys]
    return list(dict.fromkeys(file for file in files if file))


def score_settings(study):
    return as_it_is(json.dumps({"scores": list(scores_wanted(study))}, ensure_ascii=False))


def answers_of_study(wildcards):
    return [
        f"<results>/{{study}}/answers/{model}/{dataset}/{split}.jsonl"
        for model, dataset, split in evaluations_of(wildcards.study)
    ]


def compare_settings(wildcards):
    study = STUDIES[wildcards.study]
    folder = f"results/{RUN}/{wildcards.study}"
    asked = list(evaluations_of(wildcards.study))
    return json.dumps(
        {
            "study": wildcards.study,
            "baseline": study["baseline"],
            "models": list(study["models"]),
            "answers": [
                {
                    "model": model,
                    "dataset": dataset,
                    "split": split,
                    "path": f"{folder}/answers/{model}/{dataset}/{split}.jsonl",
                }
                for model, dataset, split in asked
            ],
            "extracts": {d: study["datasets"][d]["extract"] for _, d, _ in asked},
        },
        ensure_ascii=False,
    )


# --- report


def scores_of_study(wildcards):
    return [
        f"<results>/{{study}}/scores/{model}/{dataset}/{split}.json"
        for model, dataset, split in evaluations_of(wildcards.study)
    ]


def combinations_of_study(wildcards):
    """The facts of the sums of adapters that a study evaluates."""
    models = STUDIES[wildcards.study]["models"]
    return [
        f"<results>/{{study}}/combined/{model}/combination.json"
        for model in asked_models(wildcards.study)
        if is_combined(models[model])
    ]


def combinations_argument(wildcards, input):
    return ["--combinations", *input.combinations] if input.combinations else []


def headline(dataset):
    """The metric of a dataset that a figure shows when it shows one."""
    return next(iter(dataset["extract"].get("readings", ["exact_match"])))


def grid_settings(wildcards):
    study = STUDIES[wildcards.study]
    grid = study["grids"][wildcards.grid]
    return json.dumps(
        {
            "title": study["title"],
            "grid": wildcards.grid,
            "start": grid["start"],
            "end": grid["end"],
            "points": grid["points"],
            "metrics": {name: headline(item) for name, item in study["datasets"].items()},
        },
        ensure_ascii=False,
    )


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
