# What estimate.py is told of the jobs that load a model.


def base_for_estimate(name):
    return {"name": name, "base": BASES[name], "found": f"results/{RUN}/bases/{name}/source.json"}


def trained_jobs():
    """Every adapter that is trained, with the records before a teacher explains them."""
    for study, settings in STUDIES.items():
        for name, adapter in settings["adapters"].items():
            dataset = settings["datasets"][adapter["dataset"]]
            yield {
                "study": study,
                "name": name,
                "base": base_for_estimate(adapter["base"]),
                "adapter": adapter,
                "prompt": settings["prompts"][adapter["prompt"] or dataset["prompt"]],
                "records": split_file(study, adapter["dataset"], "train"),
                "reasoning": dataset["distill"]["max_chars"] if dataset["distill"] else 0,
                "metrics": f"results/{RUN}/{study}/adapters/{name}/metrics.json",
            }


def asked_jobs():
    """Every split that a session asks, once for all its models."""
    for session in SESSIONS:
        if session["served"]:
            continue
        study, first = session["study"], session["models"][0]
        settings, model = STUDIES[study], STUDIES[study]["models"][first]
        adapters = [settings["adapters"][part] for part in parts_of(model)]
        for dataset, split in asked_splits(study):
            asking = [m for m, d, s in evaluations_of(study) if (d, s) == (dataset, split)]
            asking = [name for name in asking if name in session["models"]]
            folder = f"results/{RUN}/{study}/predictions"
            if asking:
                yield {
                    "study": study,
                    "name": f"{', '.join(asking)}: {dataset}/{split}",
                    "base": base_for_estimate(model["base"]),
                    "dtype": settings["sampling"]["dtype"],
                    "quantization": (
                        adapters[0]["quantization"] if adapters and not is_merged(model) else None
                    ),
                    "sampling": settings["sampling"],
                    "prompt": settings["prompts"][settings["datasets"][dataset]["prompt"]],
                    "records": split_file(study, dataset, split),
                    "metrics": [f"{folder}/{m}/{dataset}/{split}.metrics.json" for m in asking],
                    "starts": model.get("engine") != "vllm",
                }


def merged_copies():
    """How many full copies of each base are written."""
    models = [
        settings["models"][name]
        for study, settings in STUDIES.items()
        for name in asked_models(study)
    ]
    bases = [model["base"] for model in models if is_merged(model)]
    return {base: bases.count(base) for base in dict.fromkeys(bases)}


ESTIMATED = {
    "card": MACHINE["gpu_model"],
    "devices": MACHINE["gpu"],
    "trained": list(trained_jobs()),
    "asked": list(asked_jobs()),
    "merged": merged_copies(),
}
ESTIMATED_FILES = list(
    dict.fromkeys(job["records"] for job in ESTIMATED["trained"] + ESTIMATED["asked"])
)


def what_is_there(wildcards):
    """Bases and measurements that an estimate is better with; it is made again when one comes."""
    bases = {job["base"]["found"] for job in ESTIMATED["trained"] + ESTIMATED["asked"]}
    measured = [job["metrics"] for job in ESTIMATED["trained"]]
    measured += [path for job in ESTIMATED["asked"] for path in job["metrics"]]
    return [path for path in sorted(bases) + measured if Path(path).is_file()]
