# The jobs in which models answer: one a set of weights, which is loaded once, and one a model
# behind an address; and what all jobs will ask of addresses.


def sessions():
    """Sets of models that answer from one set of weights: merged and served ones alone, and those
    of a base, quantised in the same way and asked by the same engine, together."""
    for study in STUDIES:
        together = {}
        for name in asked_models(study):
            together.setdefault(weights_of(study, name), []).append(name)
        for models in together.values():
            for part in in_parts(models):
                yield session_of(study, part)


def weights_of(study, name):
    """A key that is equal for models which answer from the same loaded weights."""
    model = STUDIES[study]["models"][name]
    if is_merged(model) or model["endpoint"] or model["serve"]:
        return name
    adapters = [STUDIES[study]["adapters"][part] for part in parts_of(model)]
    loading = {}
    if adapters and adapters[0]["quantization"]:
        keys = ("quantization", "dtype", "attn_implementation")
        loading = {key: adapters[0][key] for key in keys}
    return json.dumps([model["base"], loading, model["engine"]])


def answering(study, name):
    """The keys of a session's settings that say what answers for a model; none: transformers."""
    model, vllm = STUDIES[study]["models"][name], STUDIES[study]["vllm"]
    if model["serve"]:
        settings = {"vllm": vllm} if model["serve"]["program"] == "vllm" else {}
        return {"serve": model["serve"]} | settings
    return {"engine": "vllm", "vllm": vllm} if model["engine"] == "vllm" else {}


def environment(study, name):
    """The conda environment of what answers for a model."""
    if STUDIES[study]["models"][name]["endpoint"]:
        return "../envs/api.yaml"
    if answering(study, name):
        return "../envs/vllm.yaml"
    return environment_of_base(STUDIES[study]["models"][name]["base"])


def session_of(study, names):
    """Input, output and settings of the job in which some models answer."""
    questions = questions_of(study, names)
    asked = {
        "sampling": STUDIES[study]["sampling"],
        "models": {name: {"adapter": None, "recipe": None} for name in names},
        "questions": questions,
    }
    endpoint = STUDIES[study]["models"][names[0]]["endpoint"]
    if endpoint:
        address = STUDIES[study]["endpoints"][endpoint]
        asked["endpoint"] = {"study": study, "name": endpoint, "endpoint": address}
        weights, arguments = [], ["--ledger", ".snaketune/ledger"]
    else:
        put_on, weights, arguments = weights_and_arguments(study, names)
        asked["models"] |= put_on
        asked |= answering(study, names[0])
    return {
        "study": study,
        "name": names[0],
        "models": names,
        "served": bool(endpoint),
        "environment": environment(study, names[0]),
        "weights": weights,
        "records": list(dict.fromkeys(question["records"] for question in questions)),
        "responses": [question["out"] for question in questions],
        "metrics": [question["metrics"] for question in questions],
        "arguments": arguments,
        "settings": as_it_is(json.dumps(asked, ensure_ascii=False)),
    }


def questions_of(study, names):
    """What a study asks some of its models."""
    settings, folder = STUDIES[study], f"results/{RUN}/{study}"
    return [
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
        if model in names
    ]


def weights_and_arguments(study, names):
    """The adapters that are put on the base of a session, all files of its weights, and the
    arguments that name base and merged model."""
    folder = f"results/{RUN}/{study}"
    models = {name: STUDIES[study]["models"][name] for name in names}
    base = f"results/{RUN}/bases/{models[names[0]]['base']}/source.json"
    merged = is_merged(models[names[0]])
    put_on, weights, arguments = {}, [base], ["--base", base]
    for name, model in models.items() if not merged else []:
        place = adapter_folder(model, name)
        if place:
            recipe = f"{folder}/adapters/{parts_of(model)[0]}/recipe.yaml"
            put_on[name] = {"adapter": f"{folder}/{place}", "recipe": recipe}
            weights += [recipe, f"{folder}/{place}/adapter_model.safetensors"]
            weights.append(f"{folder}/{place}/adapter_config.json")
    if merged:
        weights.append(f"{folder}/merged/{names[0]}/manifest.json")
        arguments += ["--merged", f"{folder}/merged/{names[0]}"]
    return put_on, list(dict.fromkeys(weights)), arguments


SESSIONS = list(sessions())


def mmlu_sessions():
    """Sets of models whose general ability is measured on one set of weights."""
    for study, settings in STUDIES.items():
        together = {}
        for name in settings["mmlu"]["models"] if settings["mmlu"] else []:
            together.setdefault(weights_of(study, name), []).append(name)
        for models in together.values():
            yield mmlu_session_of(study, models)


def mmlu_session_of(study, names):
    mmlu, folder = STUDIES[study]["mmlu"], f"results/{RUN}/{study}/mmlu"
    put_on, weights, arguments = weights_and_arguments(study, names)
    base = STUDIES[study]["models"][names[0]]["base"]
    out = {name: f"{folder}/{name}.json" for name in names}
    nothing = {"adapter": None, "recipe": None}
    measured = {name: put_on.get(name, nothing) for name in names}
    settings = {"study": study, "mmlu": mmlu, "models": measured, "out": out}
    return {
        "study": study,
        "name": names[0],
        "models": names,
        "environment": environment_of_base(base, "../envs/mmlu.yaml"),
        "weights": weights,
        "questions": sorted(map(str, Path(mmlu["path"]).glob("*/*.csv"))) if mmlu["path"] else [],
        "outcomes": list(out.values()),
        "arguments": arguments,
        "settings": as_it_is(json.dumps(settings, ensure_ascii=False)),
    }


MMLU_SESSIONS = list(mmlu_sessions())


def planned_jobs():
    """What distill, predict and judge will ask of addresses, as plan.py takes it."""
    for study, settings in STUDIES.items():
        for name in dict.fromkeys(trained_datasets(study) + [d for d, _ in asked_splits(study)]):
            distill = settings["datasets"][name]["distill"]
            if distill and distill["teacher"] in settings["endpoints"]:
                how = {key: distill[key] for key in ("sampling", "prompt", "attempts")}
                how |= {"purpose": "distill", "label": True}
                for split in distill["splits"]:
                    yield planned_job(study, distill["teacher"], name, split, **how)
        for model, name, split in evaluations_of(study):
            endpoint = settings["models"][model]["endpoint"]
            if endpoint:
                prompt = settings["prompts"][settings["datasets"][name]["prompt"]]
                prompt = {key: prompt[key] for key in ("system", "user")}
                how = {"sampling": settings["sampling"], "prompt": prompt}
                yield planned_job(
                    study, endpoint, name, split, purpose="predict", model=model, **how
                )
            judge = settings["datasets"][name]["judge"]
            if judge:
                how = {key: judge[key] for key in ("sampling", "prompt")}
                how |= {
                    "predictions": f"results/{RUN}/{study}/predictions/{model}/{name}/{split}.jsonl",
                    "reply_tokens": settings["sampling"]["max_new_tokens"],
                }
                yield planned_job(
                    study, judge["endpoint"], name, split, purpose="judge", model=model, **how
                )


def planned_job(study, endpoint, dataset, split, **how):
    address = {"name": endpoint, "endpoint": STUDIES[study]["endpoints"][endpoint]}
    records = split_file(study, dataset, split)
    what = {"study": study, "dataset": dataset, "split": split, "records": records}
    return {**what, "endpoint": address, **how}


PLANNED = list(planned_jobs())


def key_faults():
    """What is wrong with the keys of endpoints that this run may ask."""
    asked = {job["endpoint"]["name"]: job["endpoint"]["endpoint"] for job in PLANNED}
    return faults_of_keys({name: Endpoint(**settings) for name, settings in asked.items()}).values()


def bought_files(wildcards):
    """What a study's models behind addresses have answered: the ledger has grown with it."""
    study = wildcards.study
    models = STUDIES[study]["models"]
    asked = [
        f"<results>/{{study}}/predictions/{model}/{dataset}/{split}.jsonl"
        for model, dataset, split in evaluations_of(study)
        if models[model]["endpoint"]
    ]
    return (
        asked
        + [
            f"<results>/{{study}}/cot/{job['dataset']}/{job['split']}.metrics.json"
            for job in PLANNED
            if job["study"] == study and job["purpose"] == "distill"
        ]
        + [
            f"<results>/{{study}}/judgements/{job['model']}/{job['dataset']}/{job['split']}.jsonl"
            for job in PLANNED
            if job["study"] == study and job["purpose"] == "judge"
        ]
    )
