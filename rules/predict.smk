# Stage predict.
# Takes: a base with the adapters that are put on it, or merged weights; splits of datasets.
# Gives: {study}/predictions/{model}/{dataset}/{split}.jsonl, all responses with their prompts.


# One job a session: the models that answer from one set of weights, which is loaded once.
for session in SESSIONS:

    rule:
        name:
            f"predict_{session['study']}_{session['name']}"
        input:
            session["weights"],
            session["records"],
        output:
            session["responses"],
            session["metrics"],
        log:
            f"<logs>/{session['study']}/predict/{session['name']}.log",
        benchmark:
            f"<benchmarks>/{session['study']}/predict/{session['name']}.tsv"
        conda:
            "../envs/train.yaml"
        threads: MACHINE["threads"]
        resources:
            gpu=MACHINE["gpu"],
            gpu_model=MACHINE["gpu_model"],
            mem_mb=MACHINE["mem_mb"],
            runtime=MACHINE["runtime"],
        params:
            settings=session["settings"],
            folders=session["folders"],
        message:
            f"{session['study']}: {', '.join(session['models'])} answer"
        shell:
            "python scripts/predict.py --settings {params.settings:q} {params.folders:q}"
            " --journal .snaketune/journal --threads {threads} --log {log:q}"
