# Stage evaluate.
# Takes: {study}/predictions/{model}/{dataset}/{split}.jsonl; re-scoring never generates again.
# Gives: {study}/answers/... (what each record was answered), {study}/judgements/... (what a judge
# says of it), {study}/scores/... (how well), and {study}/comparisons.csv (every two models on the
# same records).


rule extract_and_vote:
    input:
        records="<results>/{study}/data/{dataset}/{split}.jsonl",
        predictions="<results>/{study}/predictions/{model}/{dataset}/{split}.jsonl",
    output:
        "<results>/{study}/answers/{model}/{dataset}/{split}.jsonl",
    log:
        "<logs>/{study}/extract_and_vote/{model}/{dataset}/{split}.log",
    benchmark:
        "<benchmarks>/{study}/extract_and_vote/{model}/{dataset}/{split}.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        settings=extract_settings,
        code=code_of("extract_and_vote"),
    message:
        "{wildcards.study}: read the answers of {wildcards.model} on {wildcards.dataset}"
    shell:
        "python scripts/extract_and_vote.py --settings {params.settings:q}"
        " --records {input.records:q} --predictions {input.predictions:q}"
        " --out {output:q} --log {log:q}"


rule pool_folds:
    input:
        pooled_parts,
    output:
        "<results>/{study}/pooled/{model}/{dataset}/{split}.jsonl",
    log:
        "<logs>/{study}/pool_folds/{model}/{dataset}/{split}.log",
    benchmark:
        "<benchmarks>/{study}/pool_folds/{model}/{dataset}/{split}.tsv"
    wildcard_constraints:
        model=any_swept(pooled_models()),
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        code=code_of("pool_folds"),
    message:
        "{wildcards.study}: put together what {wildcards.model} answered in each fold"
    shell:
        "python scripts/pool_folds.py --answers {input:q} --out {output:q} --log {log:q}"


rule write_submission:
    input:
        records=submitted_records,
        answers=submitted_answers,
    output:
        submission="<results>/{study}/submission/{submission}.jsonl",
        csv="<results>/{study}/submission/{submission}.csv",
        counts=report(
            "<results>/{study}/submission/{submission}.json",
            caption="../report/submission.rst",
            category="{study}",
            subcategory="Submission",
            labels={"submission": "{submission}", "what": "counts"},
        ),
    log:
        "<logs>/{study}/write_submission/{submission}.log",
    benchmark:
        "<benchmarks>/{study}/write_submission/{submission}.tsv"
    wildcard_constraints:
        submission=any_of(all_names("submission")),
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        settings=submission_settings,
        code=code_of("write_submission"),
    message:
        "{wildcards.study}: write the submission {wildcards.submission}"
    shell:
        "python scripts/write_submission.py --settings {params.settings:q}"
        " --records {input.records:q} --answers {input.answers:q} --out {output.submission:q}"
        " --csv {output.csv:q} --counts {output.counts:q} --log {log:q}"


rule judge:
    input:
        records="<results>/{study}/data/{dataset}/{split}.jsonl",
        predictions="<results>/{study}/predictions/{model}/{dataset}/{split}.jsonl",
    output:
        verdicts="<results>/{study}/judgements/{model}/{dataset}/{split}.jsonl",
        metrics="<results>/{study}/judgements/{model}/{dataset}/{split}.metrics.json",
    log:
        "<logs>/{study}/judge/{model}/{dataset}/{split}.log",
    benchmark:
        "<benchmarks>/{study}/judge/{model}/{dataset}/{split}.tsv"
    wildcard_constraints:
        dataset=any_of(judged_datasets()),
    localrule: True
    conda:
        "../envs/api.yaml"
    resources:
        api=1,
    params:
        settings=judge_settings,
    message:
        "{wildcards.study}: the answers of {wildcards.model} on {wildcards.dataset} are judged"
    shell:
        "python scripts/judge.py --settings {params.settings:q} --records {input.records:q}"
        " --predictions {input.predictions:q} --out {output.verdicts:q}"
        " --metrics {output.metrics:q} --journal .snaketune/journal --ledger .snaketune/ledger"
        " --log {log:q}"


# One job a study scores all of its models.
for scoring in scoring_jobs():

    rule:
        name:
            f"score_{scoring['name']}"
        input:
            scoring["inputs"],
        output:
            scoring["outputs"],
        log:
            f"<logs>/{scoring['study']}/score/{scoring['name']}.log",
        benchmark:
            f"<benchmarks>/{scoring['study']}/score/{scoring['name']}.tsv"
        localrule: True
        conda:
            "../envs/data.yaml"
        params:
            settings=scoring["settings"],
            code=code_of("score"),
        message:
            f"{scoring['study']}: score all models"
        shell:
            "python scripts/score.py --settings {params.settings:q} --log {log:q}"


rule compare_models:
    input:
        answers_of_study,
    output:
        "<results>/{study}/comparisons.csv",
    log:
        "<logs>/{study}/compare_models.log",
    benchmark:
        "<benchmarks>/{study}/compare_models.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        settings=compare_settings,
        code=code_of("compare_models"),
    message:
        "{wildcards.study}: compare every two models on the same records"
    shell:
        "python scripts/compare_models.py --settings {params.settings:q} --csv {output:q}"
        " --log {log:q}"
