# Stage evaluate.
# Takes: {study}/predictions/{model}/{dataset}/{split}.jsonl; re-scoring never generates again.
# Gives: {study}/answers/... (what each record was answered) and {study}/scores/... (how well).


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
    conda:
        "../envs/data.yaml"
    params:
        code=code_of("extract_and_vote"),
    message:
        "{wildcards.study}: read the answers of {wildcards.model} on {wildcards.dataset}"
    shell:
        "python scripts/extract_and_vote.py"
        " --records {input.records:q} --predictions {input.predictions:q}"
        " --out {output:q} --log {log:q}"


rule score:
    input:
        answers="<results>/{study}/answers/{model}/{dataset}/{split}.jsonl",
        baseline=baseline_answers,
        recipe=recipe_of_model,
    output:
        "<results>/{study}/scores/{model}/{dataset}/{split}.json",
    log:
        "<logs>/{study}/score/{model}/{dataset}/{split}.log",
    benchmark:
        "<benchmarks>/{study}/score/{model}/{dataset}/{split}.tsv"
    conda:
        "../envs/data.yaml"
    params:
        settings=score_settings,
        recipe=recipe_argument,
        code=code_of("score"),
    message:
        "{wildcards.study}: score {wildcards.model} on {wildcards.dataset}/{wildcards.split}"
    shell:
        "python scripts/score.py --settings {params.settings:q} --answers {input.answers:q}"
        " --baseline {input.baseline:q} {params.recipe:q} --out {output:q} --log {log:q}"
