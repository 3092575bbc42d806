# The input files of each job, and its slice of the config as --settings: a job is run again
# when its slice changes, and by no other edit of the config.


# --- acquire


def source_files(wildcards):
    """Files that a dataset's source reads."""
    source = item(wildcards, "datasets")["source"]
    paths = [source[key] for key in ("cities", "path") if source.get(key)]
    parts = [path.values() if isinstance(path, dict) else path for path in paths]
    files = [file for part in parts for file in ([part] if isinstance(part, str) else part)]
    if source.get("obtain"):  # else one that a person has to get would stop the whole plan
        files = [file for file in files if Path(file).is_file()]
    return files + list(question_files(wildcards.study, source).values())


def question_files(study, source):
    """Site → its questions, of the sites that a source names."""
    folder = f"results/{RUN}/{study}/questions"
    return {site: f"{folder}/{site}.jsonl" for site in source.get("sites", ())}


def source_settings(wildcards):
    source = item(wildcards, "datasets")["source"]
    settings = {"source": source, "dataset": wildcards.dataset}
    if source["kind"] == "questions":
        read = {key: source[key] for key in ("kind", "sites", "path", "media")}
        settings |= {"source": read, "sites": question_files(wildcards.study, source)}
    return json.dumps(settings, ensure_ascii=False)


def site_settings(wildcards):
    site = item(wildcards, "sites")
    return json.dumps({"name": wildcards.site, "site": site}, ensure_ascii=False)


def spider_file(wildcards):
    """The file of a spider of the user's own."""
    path = item(wildcards, "sites")["spider"].rpartition(":")[0]
    return [path] if path else []


# --- prepare


def clean_file(kind):
    """A file of the clean records that a dataset is split from."""

    def path(wildcards):
        name = raw_name(wildcards.study, wildcards.dataset)
        return f"<results>/{{study}}/clean/{name}.{kind}"

    return path


def raw_facts(wildcards):
    return f"<results>/{{study}}/raw/{raw_name(wildcards.study, wildcards.dataset)}.json"


def clean_settings(wildcards):
    dataset = item(wildcards, "datasets")
    return json.dumps({key: dataset[key] for key in ("duplicates", "split")})


def deduplicate_settings(wildcards):
    source = item(wildcards, "datasets")["source"]
    keys = ("deduplicate", "option", "between")
    return json.dumps({key: source[key] for key in keys}, ensure_ascii=False)


def duplicates_settings(wildcards):
    title = STUDIES[wildcards.study]["title"]
    return json.dumps({"title": title, "dataset": wildcards.dataset}, ensure_ascii=False)


def split_settings(wildcards):
    dataset = item(wildcards, "datasets")
    labels = dataset["extract"].get("labels")
    settings = {key: dataset[key] for key in ("split", "held_out", "mask")} | {"labels": labels}
    return json.dumps(settings, ensure_ascii=False)


def split_file(study, dataset, split):
    return f"results/{RUN}/{study}/data/{dataset}/{split}.jsonl"


def trained_datasets(study):
    return list(
        dict.fromkeys(adapter["dataset"] for adapter in STUDIES[study]["adapters"].values())
    )


def asked_splits(study):
    """Every (dataset, split) that some model is asked."""
    return list(dict.fromkeys((dataset, split) for _, dataset, split in evaluations_of(study)))


def trained_for(study, dataset, split):
    """Datasets that the models were trained on which are asked a split."""
    settings = STUDIES[study]
    asked = [m for m, *place in evaluations_of(study) if place == [dataset, split]]
    adapters = [name for model in asked for name in parts_of(settings["models"][model])]
    return list(dict.fromkeys(settings["adapters"][name]["dataset"] for name in adapters))


def compared_splits(wildcards):
    """What a study trains on, and what it asks."""
    study = wildcards.study
    trained = [split_file(study, dataset, "train") for dataset in trained_datasets(study)]
    asked = [split_file(study, dataset, split) for dataset, split in asked_splits(study)]
    return list(dict.fromkeys(trained + asked))


def leak_settings(wildcards):
    study = wildcards.study
    folded = bool(STUDIES[study]["pooled"])
    return json.dumps(
        {
            "title": STUDIES[study]["title"],
            "training": [
                {"dataset": dataset, "path": split_file(study, dataset, "train")}
                for dataset in trained_datasets(study)
            ],
            "evaluation": [
                {
                    "dataset": dataset,
                    "split": split,
                    "path": split_file(study, dataset, split),
                    # what a fold asks, the other folds train on
                    "against": trained_for(study, dataset, split) if folded else None,
                }
                for dataset, split in asked_splits(study)
            ],
        },
        ensure_ascii=False,
    )


# --- distill


def is_distilled(dataset):
    """Whether a teacher writes the reasoning of a dataset."""
    return bool(dataset["distill"])


def distill_settings(wildcards):
    study, dataset = STUDIES[wildcards.study], item(wildcards, "datasets")
    return json.dumps(
        {
            "study": wildcards.study,
            "dataset": wildcards.dataset,
            "distill": dataset["distill"],
            "labels": dataset["extract"]["labels"],
            "endpoint": study["endpoints"].get(dataset["distill"]["teacher"]),
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
    kinds = ("safetensors", "json", "jinja")
    files = sorted(str(path) for kind in kinds for path in folder.glob(f"*.{kind}"))
    return files + template_of_base(wildcards)


def template_of_base(wildcards):
    """The chat template that stands in for a base's own, if any."""
    template = BASES[wildcards.base]["chat_template"]
    return [template] if template else []


# --- train


def recipe_settings(wildcards):
    """All that decides a training run, apart from base and data: the recipe's content."""
    adapter = item(wildcards, "adapters")
    study = STUDIES[wildcards.study]
    prompt = adapter["prompt"] or study["datasets"][adapter["dataset"]]["prompt"]
    return json.dumps(
        {
            "study": wildcards.study,
            "name": wildcards.adapter,
            "adapter": adapter,
            "prompt": study["prompts"][prompt],
        },
        ensure_ascii=False,
    )


def environment_of_training(wildcards):
    return environment_of_base(item(wildcards, "adapters")["base"])


def base_of_adapter(wildcards):
    return f"<results>/bases/{item(wildcards, 'adapters')['base']}/source.json"


def trained_file(study, adapter, split):
    """The records of a split that an adapter is trained on: with the teacher's reasoning, where
    its prompt's answer has that."""
    adapter = STUDIES[study]["adapters"][adapter]
    name = adapter["dataset"]
    dataset = STUDIES[study]["datasets"][name]
    answer = STUDIES[study]["prompts"][adapter["prompt"] or dataset["prompt"]]["answer"]
    taught = dataset["distill"] and split in dataset["distill"]["splits"]
    folder = "cot" if taught and "{reasoning}" in answer else "data"
    return f"<results>/{study}/{folder}/{name}/{split}.jsonl"


def training_split(split):
    def path(wildcards):
        return trained_file(wildcards.study, wildcards.adapter, split)

    return path


def earlier_stage(wildcards):
    """The adapter that a training goes on from, if any."""
    first = item(wildcards, "adapters")["init_from"]
    files = ("adapter_model.safetensors", "adapter_config.json")
    return [f"<results>/{{study}}/adapters/{first}/{file}" for file in files if first]


def earlier_stage_argument(wildcards, input):
    return ["--init-from", str(Path(input.earlier[0]).parent)] if input.earlier else []


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
    study, adapter = STUDIES[wildcards.study], parts_of(item(wildcards, "models"))[0]
    dataset = study["datasets"][study["adapters"][adapter]["dataset"]]
    split = dataset["split"]
    validated = dataset["held_out"] if split == "given" else split["validation"]
    return trained_file(wildcards.study, adapter, "validation" if validated else "train")
