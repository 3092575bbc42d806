# Input files and settings of the pages that people read first: the run's, and two of each study.
# The settings name no files but by folder and name: a sweep may have a thousand.


def headlines_of(study):
    """The headline metric of each dataset that a study scores."""
    datasets = STUDIES[study]["datasets"]
    return {dataset: headline(datasets[dataset]) for _, dataset, _ in scored_of(study)}


def by_split(evaluations):
    """Each split among evaluations, with its models."""
    models = {}
    for model, *place in evaluations:
        models.setdefault(tuple(place), []).append(model)
    return [
        {"dataset": dataset, "split": split, "models": names}
        for (dataset, split), names in models.items()
    ]


def used_datasets(study):
    """Names of the datasets that a study trains on or asks."""
    return list(dict.fromkeys(trained_datasets(study) + [d for d, _ in asked_splits(study)]))


def of_asked(*kinds):
    """An input function: files of each evaluation, as `kind/*.end`."""

    def files(wildcards):
        return [
            f"<results>/{{study}}/{kind.replace('*', f'{model}/{dataset}/{split}')}"
            for model, dataset, split in evaluations_of(wildcards.study)
            for kind in kinds
        ]

    return files


def source_of(study, name):
    """What the page of a study is told about a dataset's source."""
    dataset = STUDIES[study]["datasets"][name]
    distill = dataset["distill"]
    return {
        "raw": raw_name(study, name),
        "sites": dataset["source"].get("sites", []),
        "reasoned": distill["splits"] if distill else [],
    }


def flow_files(wildcards):
    """Files that count the records after each step."""
    files = []
    for name in used_datasets(wildcards.study):
        source = source_of(wildcards.study, name)
        files += [f"raw/{source['raw']}.json", f"data/{name}/quality.json"]
        files += [f"pages/{site}/crawl.json" for site in source["sites"]]
        files += [f"questions/{site}.json" for site in source["sites"]]
        files += [f"cot/{name}/{split}.metrics.json" for split in source["reasoned"]]
    return [f"<results>/{{study}}/{file}" for file in dict.fromkeys(files)]


def adapter_metrics(study):
    return [
        f"<results>/{study}/adapters/{adapter}/metrics.json"
        for adapter in STUDIES[study]["adapters"]
    ]


def adapter_metrics_of_study(wildcards):
    return adapter_metrics(wildcards.study)


def overview_settings(wildcards):
    study = wildcards.study
    return json.dumps(
        {
            "study": study,
            "title": STUDIES[study]["title"],
            "note": note_of(study),
            "folder": f"results/{RUN}/{study}",
            "datasets": {name: source_of(study, name) for name in used_datasets(study)},
            "headlines": headlines_of(study),
            "adapters": list(STUDIES[study]["adapters"]),
            "asked": by_split(evaluations_of(study)),
            "scored": by_split(scored_of(study)),
        },
        ensure_ascii=False,
    )


def records_of_study(wildcards):
    return [split_file(wildcards.study, *place) for place in asked_splits(wildcards.study)]


def browse_settings(wildcards):
    study = wildcards.study
    datasets = STUDIES[study]["datasets"]
    return json.dumps(
        {
            "title": STUDIES[study]["title"],
            "note": note_of(study),
            "folder": f"results/{RUN}/{study}",
            "extracts": {name: datasets[name]["extract"] for name, _ in asked_splits(study)},
            "asked": by_split(evaluations_of(study)),
        },
        ensure_ascii=False,
    )


def shown_models(study):
    """A study's models but for those that sweeps and grids made, which may be hundreds."""
    made = set(variants_of(study))
    for grid, settings in STUDIES[study]["grids"].items():
        # its ends, and sums that have a name of their own, are the study's
        names = {point["model"] for point in settings["points"]}
        made |= {name for name in names if name.startswith(f"{grid}.")}
    scored = dict.fromkeys(model for model, _, _ in scored_of(study))
    return [name for name in scored if name not in made]


def seeds_of(study):
    """What a study draws by which seed; of a sweep's adapters, each seed once."""
    settings = STUDIES[study]
    seeds = {"answers": {settings["sampling"]["seed"]}}
    for name in used_datasets(study):
        for key in ("source", "split"):
            part = settings["datasets"][name][key]
            if isinstance(part, dict) and part.get("seed") is not None:
                seeds[f"{name} {key}"] = {part["seed"]}
    seeds["training"] = {a["training"]["seed"] for a in settings["adapters"].values()}
    return {what: sorted(found) for what, found in seeds.items() if found}


def pages_of(study):
    """Pages and figures of a study, relative to the run's folder; the first ones first."""
    paths = [path.removeprefix("<results>/") for path in results_of(study)]
    pages = [p for p in paths if p.endswith((".html", ".svg")) and not p.endswith("tensors.html")]
    first = [f"{study}/{name}.html" for name in ("accuracy", "overview", "answers")]
    return first + [page for page in pages if page not in first]


def shown_bases():
    """Names of the bases that the run uses."""
    paths = [Path(path) for study in STUDIES for path in results_of(study)]
    return list(dict.fromkeys(p.parent.name for p in paths if p.name == "source.json"))


def summary_files(wildcards):
    tables = [f"<results>/{study}/accuracy.csv" for study in STUDIES]
    bases = [f"<results>/bases/{base}/source.json" for base in shown_bases()]
    return tables + bases + [path for study in STUDIES for path in adapter_metrics(study)]


def summary_settings(wildcards):
    notes = {note_of(study) for study in STUDIES}
    note = notes.pop() if len(notes) == 1 else config["note"]
    return json.dumps(
        {
            **{"run": RUN, "scale": config["scale"], "note": note},
            "studies": [
                {
                    "study": study,
                    "title": settings["title"],
                    "baseline": settings["baseline"],
                    "models": shown_models(study),
                    "headlines": headlines_of(study),
                    "seeds": seeds_of(study),
                    "adapters": list(settings["adapters"]),
                    "pages": pages_of(study),
                }
                for study, settings in STUDIES.items()
            ],
            "bases": shown_bases(),
        },
        ensure_ascii=False,
    )
