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
    for name, dataset, split in scored_of(study):
        model = declared_model(study, name)
        adapter = adapter_folder(model, name if name in settings["models"] else f"{name}.1")
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
            "answers": answers_file(study, name, dataset, split),
            "baseline": answers_file(study, settings["baseline"], dataset, split),
            **judgements_scored(study, name, dataset, f"{dataset}/{split}.jsonl"),
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
    study = wildcards.study
    return [answers_file(study, *place) for place in scored_of(study)]


def pooled_parts(wildcards):
    """Answers of the folds' models, in the order of the folds."""
    study, place = wildcards.study, (wildcards.model, wildcards.dataset, wildcards.split)
    (parts,) = (
        one["parts"]
        for one in STUDIES[study]["pooled"]
        if (one["model"], one["dataset"], one["split"]) == place
    )
    return [answers_file(study, model, dataset, wildcards.split) for model, dataset in parts]


def compare_settings(wildcards):
    study = STUDIES[wildcards.study]
    scored = list(scored_of(wildcards.study))
    return json.dumps(
        {
            "study": wildcards.study,
            "baseline": study["baseline"],
            "models": study["declared_models"],
            "answers": [
                {
                    "model": model,
                    "dataset": dataset,
                    "split": split,
                    "path": answers_file(wildcards.study, model, dataset, split),
                }
                for model, dataset, split in scored
            ],
            "extracts": {d: study["datasets"][d]["extract"] for _, d, _ in scored},
        },
        ensure_ascii=False,
    )


def submitted(study, name):
    """Dataset, split and model of a submission."""
    wanted = STUDIES[study]["submission"][name]
    return wanted["model"], wanted["dataset"], wanted["split"]


def submitted_answers(wildcards):
    return answers_file(wildcards.study, *submitted(wildcards.study, wildcards.submission))


def submitted_records(wildcards):
    _, dataset, split = submitted(wildcards.study, wildcards.submission)
    return split_file(wildcards.study, dataset, split)


def submission_settings(wildcards):
    study = STUDIES[wildcards.study]
    wanted = study["submission"][wildcards.submission]
    extract = study["datasets"][wanted["dataset"]]["extract"]
    settings = {key: wanted[key] for key in ("reading", "fallback")} | {"extract": extract}
    return json.dumps(settings, ensure_ascii=False)


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
            "note": note_of(wildcards.study),
            "baseline": study["baseline"],
            "models": study["mmlu"]["models"],
        },
        ensure_ascii=False,
    )


# --- report


def scores_of_study(wildcards):
    return [
        f"<results>/{{study}}/scores/{model}/{dataset}/{split}.json"
        for model, dataset, split in scored_of(wildcards.study)
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
        {"title": study["title"], "models": study["declared_models"]}, ensure_ascii=False
    )


def variants_of(study):
    """Which sweep each model comes from, of those that come from one."""
    models = {name: declared_model(study, name) for name in STUDIES[study]["declared_models"]}
    return {name: model["variant"] for name, model in models.items() if model["variant"]}


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
            "note": note_of(wildcards.study),
            "published": study["published"],
            "models": study["declared_models"],
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


def cards_of(study):
    """What write_cards.py is told of each merged model."""
    settings, folder = STUDIES[study], f"results/{RUN}/{study}"
    for name in merged_of(study):
        parts = parts_of(settings["models"][name])
        datasets = dict.fromkeys(settings["adapters"][part]["dataset"] for part in parts)
        yield {
            "model": name,
            "base": f"results/{RUN}/bases/{settings['models'][name]['base']}/source.json",
            "recipes": [f"{folder}/adapters/{part}/recipe.yaml" for part in parts],
            "quality": [f"{folder}/data/{dataset}/quality.json" for dataset in datasets],
            "folder": f"{folder}/merged/{name}",
        }


def carded_files(study):
    """What the cards of a study's merged models are written from."""
    files = [f"results/{RUN}/{study}/accuracy.csv"]
    for one in cards_of(study):
        files += [one["base"], *one["recipes"], *one["quality"], f"{one['folder']}/manifest.json"]
    return list(dict.fromkeys(files))


def card_settings(study):
    settings = STUDIES[study]
    return settings_of_all(
        {
            "study": study,
            "title": settings["title"],
            "note": note_of(study),
            "baseline": settings["baseline"],
            "table": f"results/{RUN}/{study}/accuracy.csv",
            "cards": list(cards_of(study)),
        }
    )
