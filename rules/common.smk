# The checked config, and the functions that hand each rule just its slice of it.
import json
import re
import sys
import time

sys.path.append(str(Path(workflow.basedir) / "scripts"))

from snaketune.chat.keys import faults_of_keys
from snaketune.code import code_of
from snaketune.config.resolve import resolve
from snaketune.config.services import Endpoint
from snaketune.errors import UserError
from snaketune.files import digest, write_text
from snaketune.running import told_of_failures, told_of_results

try:
    config = resolve(config)
except UserError as error:
    sys.exit(f"The config is not right, so nothing was started.\n{error}")

RUN = config["run"]
STARTED = time.time()
STUDIES = config["studies"]
BASES = config["bases"]
MACHINE = config["machine"]

LONGEST_SETTINGS = 60_000
"""Bytes; the system takes 128 kB in one argument, and a rule's command is one."""


MANY = 50
"""More names than this would make patterns and jobs so long that planning a sweep crawls."""


def any_of(names):
    """Wildcard pattern of just these names; of none it matches nothing."""
    return "|".join(re.escape(name) for name in names) or "(?!)"


def any_swept(names):
    """Wildcard pattern of names that a sweep may have made: of any name, where they are many."""
    return any_of(names) if len(names) <= MANY else "[^/]+"


def note_of(study):
    """What stands beside a study's numbers: its own sentence, else the run's."""
    note = STUDIES[study]["note"]
    return config["note"] if note is None else note


def in_parts(things):
    """A list in parts of at most MANY."""
    return [things[start : start + MANY] for start in range(0, len(things), MANY)]


def all_names(kind):
    """Names of every study's datasets, adapters, models or sites."""
    return sorted({name for study in STUDIES.values() for name in study[kind]})


def studies_where(kind, path, holds):
    """Pattern for {study}, matching only where `path`, with a name for {name}, fits `holds`."""
    cases = []
    for study, settings in STUDIES.items():
        before, after = map(re.escape, f"{study}/{path}".split("{name}"))
        fit = [name for name, item in settings[kind].items() if holds(item)]
        others = sorted(settings[kind].keys() - set(fit))
        # of a sweep all models fit but for a few, and naming those few makes the shorter pattern
        few, sign = (fit, "=") if len(fit) <= len(others) else (others, "!")
        if fit:
            cases.append(f"(?{sign}{before}(?:{any_of(few)}){after}){re.escape(study)}")
    return f"(?:{'|'.join(cases)})" if cases else "(?!)"


def source_kind(*kinds, path="raw/{name}.json"):
    """Pattern for {study} where the dataset's source is of one of these kinds."""
    return studies_where("datasets", path, lambda item: item["source"]["kind"] in kinds)


def is_questions(dataset):
    """Whether a dataset's records are made of questions of a bank."""
    return dataset["source"]["kind"] == "questions"


def bases_from(*sources):
    """Names of the bases that come from one of these sources."""
    return [name for name, base in BASES.items() if base["source"] in sources]


def environment_of_base(name, of_whole_weights="../envs/train.yaml"):
    """The conda environment of what loads a base in its own process."""
    return "../envs/gptq.yaml" if BASES[name].get("quantized") else of_whole_weights


def item(wildcards, kind):
    """The config of the dataset, adapter, model or site (`kind`, plural) that a job is about."""
    return STUDIES[wildcards.study][kind][getattr(wildcards, kind.removesuffix("s"))]


def is_combined(model):
    """Whether a model's adapter is a sum of trained ones."""
    return bool(model["combine"])


def is_merged(model):
    """Whether a model's adapter is merged into full weights before it answers."""
    return bool((model["adapter"] or model["combine"]) and model["merge"])


def parts_of(model):
    """Names of the trained adapters in a model."""
    if model["combine"]:
        return list(model["combine"]["weights"])
    return [model["adapter"]] if model["adapter"] else []


def adapter_folder(model, name):
    """Folder of a model's adapter below results/{run}/{study}/; None for a bare base."""
    if is_combined(model):
        return f"combined/{name}"
    return f"adapters/{model['adapter']}" if model["adapter"] else None


def growing(mem_mb):
    """Memory of a job, more at each further attempt: one that was killed for want of it then has
    what it needs."""
    return lambda wildcards, attempt: mem_mb * (1 + attempt) // 2


def as_it_is(text):
    """A function of a text, since Snakemake fills the braces of a mere text."""
    return lambda wildcards: text


def settings_of_all(what):
    """Settings of a job that concerns all studies: JSON, or, where that is too long for a command,
    the file that it is written to, named by its content."""
    text = json.dumps(what, ensure_ascii=False)
    if len(text.encode()) > LONGEST_SETTINGS:
        file = Path(".snaketune/settings") / f"{digest(what)[:16]}.json"
        write_text(file, text)
        text = f"@{file}"
    return as_it_is(text)


def evaluations_of(study):
    """Every (model, dataset, split) that a study asks."""
    for evaluation in STUDIES[study]["evaluations"]:
        for model in evaluation["models"]:
            yield model, evaluation["dataset"], evaluation["split"]
    yield from STUDIES[study]["unscored"]


def scored_of(study):
    """Every (model, dataset, split) that a study scores, folds put together."""
    settings = STUDIES[study]
    for evaluation in settings["evaluations"]:
        if not settings["datasets"][evaluation["dataset"]]["fold_of"]:
            for model in evaluation["models"]:
                yield model, evaluation["dataset"], evaluation["split"]
    for pooled in settings["pooled"]:
        yield pooled["model"], pooled["dataset"], pooled["split"]


def answers_file(study, model, dataset, split):
    """What a model answered, or what the models of all folds did."""
    pooled = [(one["model"], one["dataset"]) for one in STUDIES[study]["pooled"]]
    folder = "pooled" if (model, dataset) in pooled else "answers"
    return f"results/{RUN}/{study}/{folder}/{model}/{dataset}/{split}.jsonl"


def declared_model(study, name):
    """The config of a model of the table; of one that is there once a fold, the first fold's."""
    models = STUDIES[study]["models"]
    return models[name] if name in models else models[f"{name}.1"]


def pooled_models():
    """Names of the models whose folds are put together somewhere."""
    return sorted({one["model"] for study in STUDIES.values() for one in study["pooled"]})


def raw_name(study, dataset):
    """The dataset whose records a dataset has: a fold has those of the whole."""
    return STUDIES[study]["datasets"][dataset]["fold_of"] or dataset


def pays(study):
    """Whether a study asks a model behind an address: a teacher, a judge, or one that it
    evaluates."""
    settings = STUDIES[study]
    asked = {settings["models"][model]["endpoint"] for model in asked_models(study)}
    used = {dataset for _, dataset, _ in evaluations_of(study)}
    used |= {adapter["dataset"] for adapter in settings["adapters"].values()}
    for dataset in used:
        distill, judge = (settings["datasets"][dataset][key] for key in ("distill", "judge"))
        asked |= {distill and distill["teacher"], judge and judge["endpoint"]}
    return bool(asked & set(settings["endpoints"]))


def votes_in(study):
    """Whether several responses of a record vote somewhere in a study."""
    datasets = STUDIES[study]["datasets"]
    readings = [
        reading
        for _, dataset, _ in evaluations_of(study)
        for reading in datasets[dataset]["extract"].get("readings", {}).values()
    ]
    several = STUDIES[study]["sampling"]["responses_per_record"] > 1
    return several and any(reading["vote"]["rule"] != "first" for reading in readings)


def asked_models(study):
    """Names of the models that a study evaluates, in its order."""
    asked = {model for model, _, _ in evaluations_of(study)}
    return [model for model in STUDIES[study]["models"] if model in asked]


def merged_of(study):
    """Names of the models that a study merges."""
    models = STUDIES[study]["models"]
    return [model for model in asked_models(study) if is_merged(models[model])]


def results_of(study):
    """All that `snakemake STUDY` makes.

    Every file between is named too: one that a failed job took away is then missed and made
    again, where Snakemake would be content with what older files had made of it.
    """
    settings, made = STUDIES[study], []
    evaluated = list(evaluations_of(study))
    adapters = settings["adapters"]
    for site in settings["sites"]:
        made += [f"pages/{site}/{file}" for file in ("pages.jsonl", "crawl.json")]
        made += [f"questions/{site}.{kind}" for kind in ("jsonl", "json")]
    asked = {model: settings["models"][model] for model in asked_models(study)}
    datasets = [dataset for _, dataset, _ in evaluated] + [a["dataset"] for a in adapters.values()]
    for dataset in dict.fromkeys(raw_name(study, dataset) for dataset in datasets):
        made += [f"raw/{dataset}.jsonl", f"raw/{dataset}.json"]
        made += [f"clean/{dataset}.jsonl", f"clean/{dataset}.json"]
    for dataset in dict.fromkeys(datasets):
        made += [f"data/{dataset}/{split}.jsonl" for split in ("train", "validation", "test")]
        made.append(f"data/{dataset}/quality.json")
        if is_questions(settings["datasets"][dataset]):
            made.append(f"clean/{raw_name(study, dataset)}.examples.json")
            made.append(f"data/{dataset}/duplicates.html")
        distill = settings["datasets"][dataset]["distill"]
        for split in distill["splits"] if distill else ():
            place = f"cot/{dataset}/{split}"
            made += [f"{place}.jsonl", f"{place}.rejected.jsonl", f"{place}.metrics.json"]
    for adapter in adapters:
        files = ("recipe.yaml", "adapter_model.safetensors", "adapter_config.json", "loss.csv")
        files += ("metrics.json", "tensors.csv", "tensors.json", "tensors.html")
        made += [f"adapters/{adapter}/{file}" for file in files]
    for model in (name for name in asked if is_combined(asked[name])):
        files = ("adapter_model.safetensors", "adapter_config.json", "combination.json")
        made += [f"combined/{model}/{file}" for file in files]
    for model in (name for name in asked if is_merged(asked[name])):
        made += [f"merged/{model}/{file}" for file in ("manifest.json", "parity.json", "README.md")]
    for model, dataset, split in evaluated:
        place = f"{model}/{dataset}/{split}"
        made += [f"predictions/{place}.jsonl", f"answers/{place}.jsonl"]
    for model, dataset, split in scored_of(study):
        place = f"{model}/{dataset}/{split}"
        made.append(f"scores/{place}.json")
        if settings["datasets"][dataset]["judge"]:
            made += [f"judgements/{place}.{kind}" for kind in ("jsonl", "metrics.json")]
    for one in settings["pooled"]:
        made.append(f"pooled/{one['model']}/{one['dataset']}/{one['split']}.jsonl")
    for name in settings["submission"]:
        made += [f"submission/{name}.{kind}" for kind in ("jsonl", "csv", "json")]
    made += ["quality.json", "quality.html", "comparisons.csv"]
    made += [f"accuracy.{kind}" for kind in ("csv", "md", "html")]
    made += ["figures/accuracy.svg"] + (["figures/loss.svg"] if adapters else [])
    made += [f"figures/{grid}.svg" for grid in settings["grids"]]
    made += ["figures/votes.svg", "votes.csv", "votes.html"] if votes_in(study) else []
    if settings["mmlu"]:
        made += [f"mmlu/{model}.json" for model in settings["mmlu"]["models"]]
        made += [f"mmlu.{kind}" for kind in ("csv", "md", "html")]
    made += ["spending.csv", "spending.html"] if pays(study) else []
    made += ["overview.html", "answers.html"]
    bases = {a["base"] for a in adapters.values()}
    bases |= {model["base"] for model in asked.values() if model["base"]}
    return [f"<results>/bases/{base}/source.json" for base in sorted(bases)] + [
        f"<results>/{study}/{path}" for path in made
    ]


wildcard_constraints:
    study=any_of(STUDIES),
    base=any_of(BASES),
    dataset=any_of(all_names("datasets")),
    adapter=any_swept(all_names("adapters")),
    model=any_swept(all_names("models")),
    site=any_of(all_names("sites")),
    split="train|validation|test",
