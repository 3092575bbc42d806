# Snaketune: fine-tuning studies as one DAG, from raw data to accuracy tables.
#
#   snakemake --cores all                  every study of config/config.yaml (the demo)
#   snakemake weather --cores all          one study
#   snakemake -n                           the whole plan, nothing run
#   snakemake plan --cores all             what will be asked and paid, and what it takes of GPUs
#   snakemake --configfile config/paper.yaml --cores all --resources gpu=1
from snakemake.utils import min_version

min_version("9.27")


# A config file named on the command line stands for itself: nothing of the demo is mixed in.
if "studies" not in config:

    configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/slices.smk"
include: "rules/slices_of_results.smk"
include: "rules/slices_of_pages.smk"
include: "rules/sessions.smk"
include: "rules/slices_of_plan.smk"


report: "report/workflow.rst"


pathvars:
    results=f"results/{RUN}",
    logs=f"results/{RUN}/logs",
    benchmarks=f"results/{RUN}/benchmarks",


include: "rules/acquire.smk"
include: "rules/prepare.smk"
include: "rules/distill.smk"
include: "rules/base.smk"
include: "rules/train.smk"
include: "rules/merge.smk"
include: "rules/predict.smk"
include: "rules/evaluate.smk"
include: "rules/mmlu.smk"
include: "rules/report.smk"
include: "rules/plan.smk"


# A missing key ends its job only when that job begins, which may be after hours of others.
onstart:
    for fault in key_faults():
        logger.warning(fault)


# What was found and what failed stands at the end too, where it is not scrolled away.
onsuccess:
    logger.info(told_of_results(Path("results") / RUN, list(STUDIES), STARTED))


onerror:
    logger.error(told_of_failures(Path(log[0])))


rule all:
    default_target: True
    input:
        [results_of(study) for study in STUDIES],
        "<results>/index.html",


# One target a study, so that `snakemake weather` is a command.
for study in STUDIES:

    rule:
        name:
            study
        input:
            results_of(study),
