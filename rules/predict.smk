# Stage predict.
# Takes: a base with the adapters that are put on it, or merged weights, or the address of a served
# model; splits of datasets.
# Gives: {study}/predictions/{model}/{dataset}/{split}.jsonl, all responses with their prompts.


# One job a session: the models that answer from one set of weights, which is loaded once, or one
# model behind a server of the job's own, or behind an address. The last asks for no GPU, and jobs
# that ask addresses wait for one another.
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
        localrule: session["served"]
        conda:
            session["environment"]
        threads: 1 if session["served"] else MACHINE["threads"]
        resources:
            api=int(session["served"]),
            gpu=0 if session["served"] else MACHINE["gpu"],
            gpu_model="" if session["served"] else MACHINE["gpu_model"],
            mem_mb=growing(1000 if session["served"] else MACHINE["mem_mb"]),
            runtime=MACHINE["runtime"],
        params:
            settings=session["settings"],
            arguments=session["arguments"],
        message:
            f"{session['study']}: {', '.join(session['models'])} answer"
        shell:
            "python scripts/predict.py --settings {params.settings:q} {params.arguments:q}"
            " --journal .snaketune/journal --gpus {resources.gpu} --threads {threads} --log {log:q}"
