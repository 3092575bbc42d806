# Input files and settings of the jobs behind the last generation.


# --- evaluate


def extract_settings(wildcards):
    """How replies are read; how what was read counts (votes, defaults, F1) is for scoring."""
    extract = item(wildcards, "datasets")["extract"]
    if "readings" in extract:
        readings = {
            name: {key: reading[key] for key in ("rule", "part", "map")}
            for name, reading in extract["readings"].items()
        }
        extract = {**extract, "readings": readings, "positive": None}
    return json.dumps({"extract": extract}, ensure_ascii=False)


def judged_datasets():
    """Names of the datasets to which a model behind an address judges the answers."""
    datasets = [pair for study in STUDIES.values() for pair in study["datasets"].items()]
    return sorted({name for name, dataset in datasets if dataset["judge"]})


def judge_settings(wildcards):
    study, dataset = STUDIES[wildcards.study], item(wildcards, "datasets")
    return json.dumps(
        {
            **{key: wildcards[key] for key in ("study", "model", "dataset", "split")},
            "judge": dataset["judge"],
            "endpoint": study["endpoints"][dataset["judge"]["endpoint"]],
        },
        ensure_ascii=False,
    )


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
            **judgements_scored(study, name, dataset, place),
            "out": f"{folder}/scores/{name}/{dataset}/{split}.json",
            **made_of,
        }


def judgements_scored(study, model, dataset, place):
    """The verdicts of a dataset's judge on a model's answers and on the baseline's, if any."""
    settings, folder = STUDIES[study], f"results/{RUN}/{study}/judgements"
    if not settings["datasets"][dataset]["judge"]:
        return {}
    return {
        "judgements": f"{folder}/{model}/{place}",
        "baseline_judgements": f"{folder}/{settings['baseline']}/{place}",
    }


def scoring_jobs():
    """Each job that scores: one a study, or several where a sweep has very many models."""
    keys = ("answers", "baseline", "recipe", "combination")
    keys += ("judgements", "baseline_judgements")
    for study in STUDIES:
        for number, wanted in enumerate(in_parts(list(scores_wanted(study)))):
            files = [one.get(key) for one in wanted for key in keys]
            yield {
                "study": study,
                "name": f"{study}_part{number + 1}" if number else study,
                "inputs": list(dict.fromkeys(file for file in files if file)),
                "outputs": [one["out"] for one in wanted],
                "settings": as_it_is(json.dumps({"scores": wanted}, ensure_ascii=False)),
            }


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


def outcomes_of_mmlu(wildcards):
    """What each model got right, in the order of the table."""
    models = STUDIES[wildcards.study]["mmlu"]["models"]
    return [f"<results>/{{study}}/mmlu/{model}.json" for model in models]


def mmlu_table_settings(wildcards):
    study = STUDIES[wildcards.study]
    return json.dumps(
        {
            "study": wildcards.study,
            "title": study["title"],
            "note": config["note"],
            "baseline": study["baseline"],
            "models": study["mmlu"]["models"],
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
    if dataset["extract"]["kind"] == "options":
        return "exact"
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


def spending_settings(wildcards):
    title = STUDIES[wildcards.study]["title"]
    return json.dumps({"study": wildcards.study, "title": title}, ensure_ascii=False)


def votes_settings(wildcards):
    study = STUDIES[wildcards.study]
    return json.dumps(
        {"title": study["title"], "models": list(study["models"])}, ensure_ascii=False
    )


def variants_of(study):
    """Which sweep each model comes from, of those that come from one."""
    models = STUDIES[study]["models"]
    return {name: models[name]["variant"] for name in models if models[name]["variant"]}


def votes_table_settings(wildcards):
    return json.dumps(
        {"study": wildcards.study} | json.loads(votes_settings(wildcards)), ensure_ascii=False
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
            "variants": variants_of(wildcards.study),
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
