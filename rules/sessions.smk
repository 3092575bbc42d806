# The jobs in which models answer: one a set of weights, which is loaded once.


def sessions():
    """Sets of models that answer from one set of weights: merged ones alone, and those of a base,
    quantised in the same way, together."""
    for study in STUDIES:
        together = {}
        for name in asked_models(study):
            together.setdefault(weights_of(study, name), []).append(name)
        for models in together.values():
            yield session_of(study, models)


def weights_of(study, name):
    """A key that is equal for models which answer from the same loaded weights."""
    model = STUDIES[study]["models"][name]
    if is_merged(model):
        return name
    adapters = [STUDIES[study]["adapters"][part] for part in parts_of(model) if part]
    loading = {}
    if adapters and adapters[0]["quantization"]:
        keys = ("quantization", "dtype", "attn_implementation")
        loading = {key: adapters[0][key] for key in keys}
    return json.dumps([model["base"], loading])


def session_of(study, names):
    """Input, output and settings of the job in which some models answer."""
    settings, folder = STUDIES[study], f"results/{RUN}/{study}"
    models = {name: settings["models"][name] for name in names}
    base = f"results/{RUN}/bases/{models[names[0]]['base']}/source.json"
    merged = is_merged(models[names[0]])
    questions = [
        {
            "model": model,
            "dataset": dataset,
            "split": split,
            "records": f"{folder}/data/{dataset}/{split}.jsonl",
            "prompt": settings["prompts"][settings["datasets"][dataset]["prompt"]],
            "out": f"{folder}/predictions/{model}/{dataset}/{split}.jsonl",
            "metrics": f"{folder}/predictions/{model}/{dataset}/{split}.metrics.json",
        }
        for model, dataset, split in evaluations_of(study)
        if model in models
    ]
    weights, put_on = [base], {name: {"adapter": None, "recipe": None} for name in names}
    for name, model in models.items() if not merged else []:
        place = adapter_folder(model, name)
        if place:
            recipe = f"{folder}/adapters/{parts_of(model)[0]}/recipe.yaml"
            put_on[name] = {"adapter": f"{folder}/{place}", "recipe": recipe}
            weights += [recipe, f"{folder}/{place}/adapter_model.safetensors"]
            weights.append(f"{folder}/{place}/adapter_config.json")
    folders = ["--base", base]
    if merged:
        weights.append(f"{folder}/merged/{names[0]}/manifest.json")
        folders += ["--merged", f"{folder}/merged/{names[0]}"]
    asked = {"sampling": settings["sampling"], "models": put_on, "questions": questions}
    return {
        "study": study,
        "name": names[0],
        "models": names,
        "weights": list(dict.fromkeys(weights)),
        "records": list(dict.fromkeys(question["records"] for question in questions)),
        "responses": [question["out"] for question in questions],
        "metrics": [question["metrics"] for question in questions],
        "folders": folders,
        "settings": as_it_is(json.dumps(asked, ensure_ascii=False)),
    }


SESSIONS = list(sessions())
