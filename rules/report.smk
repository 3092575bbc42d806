# Stage report.
# Takes: all scores of a study, the loss of each adapter; for the pages, counts of every step.
# Gives: index.html, {study}/accuracy.{csv,md,html}, {study}/overview.html, {study}/figures/*.svg,
# marked for Snakemake's report; {study}/merged/{model}/README.md, a model's card;
# {study}/answers.html, which is too large for it: browsers show no page of more than about 1.5 MB
# inside it.


rule summarise:
    input:
        summary_files,
    output:
        report(
            "<results>/index.html",
            caption="../report/summary.rst",
            # sorted by name, it stands before the studies
            category="All studies",
            labels={"what": "headline, what was run"},
        ),
    log:
        "<logs>/summarise.log",
    benchmark:
        "<benchmarks>/summarise.tsv"
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        settings=summary_settings,
        folder=subpath(output[0], parent=True),
        code=code_of("summarise"),
    message:
        "Sum up all studies"
    shell:
        "python scripts/summarise.py --settings {params.settings:q} --results {params.folder:q}"
        " --out {output:q} --log {log:q}"


rule describe_study:
    input:
        flow_files,
        adapter_metrics_of_study,
        of_asked("predictions/*.metrics.json"),
        scores_of_study,
        "<results>/{study}/accuracy.csv",
    output:
        report(
            "<results>/{study}/overview.html",
            caption="../report/overview.rst",
            category="{study}",
            subcategory="Overview",
            labels={"what": "data flow, confusions, speed"},
        ),
    log:
        "<logs>/{study}/describe_study.log",
    benchmark:
        "<benchmarks>/{study}/describe_study.tsv"
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        settings=overview_settings,
        code=code_of("describe_study"),
    message:
        "{wildcards.study}: show where its records went, and speed and memory"
    shell:
        "python scripts/describe_study.py --settings {params.settings:q} --out {output:q}"
        " --log {log:q}"


rule browse_answers:
    input:
        records_of_study,
        of_asked("predictions/*.jsonl", "answers/*.jsonl"),
        script="resources/browser/answers.js",
        style="resources/browser/answers.css",
    output:
        "<results>/{study}/answers.html",
    log:
        "<logs>/{study}/browse_answers.log",
    benchmark:
        "<benchmarks>/{study}/browse_answers.tsv"
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        settings=browse_settings,
        code=code_of("browse_answers"),
    message:
        "{wildcards.study}: write the page of its answers"
    shell:
        "python scripts/browse_answers.py --settings {params.settings:q} --script {input.script:q}"
        " --style {input.style:q} --out {output:q} --log {log:q}"


rule tabulate_scores:
    input:
        scores=scores_of_study,
        comparisons=rules.compare_models.output[0],
        combinations=combinations_of_study,
    output:
        csv="<results>/{study}/accuracy.csv",
        markdown="<results>/{study}/accuracy.md",
        html=report(
            "<results>/{study}/accuracy.html",
            caption="../report/accuracy_table.rst",
            category="{study}",
            subcategory="Accuracy",
            labels={"what": "table"},
        ),
    log:
        "<logs>/{study}/tabulate_scores.log",
    benchmark:
        "<benchmarks>/{study}/tabulate_scores.tsv"
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        settings=table_settings,
        combinations=combinations_argument,
        code=code_of("tabulate_scores"),
    message:
        "{wildcards.study}: write the accuracy table"
    shell:
        "python scripts/tabulate_scores.py --settings {params.settings:q} --scores {input.scores:q}"
        " --comparisons {input.comparisons:q} {params.combinations:q} --csv {output.csv:q} --markdown {output.markdown:q}"
        " --html {output.html:q} --log {log:q}"


rule draw_accuracy:
    input:
        rules.tabulate_scores.output.csv,
    output:
        report(
            "<results>/{study}/figures/accuracy.svg",
            caption="../report/accuracy.rst",
            category="{study}",
            subcategory="Accuracy",
            labels={"what": "figure"},
        ),
    log:
        "<logs>/{study}/draw_accuracy.log",
    benchmark:
        "<benchmarks>/{study}/draw_accuracy.tsv"
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        settings=title_settings,
        code=code_of("draw_accuracy"),
    message:
        "{wildcards.study}: draw the accuracies with their intervals"
    shell:
        "python scripts/draw_accuracy.py --settings {params.settings:q} --table {input:q}"
        " --out {output:q} --log {log:q}"


rule draw_votes:
    input:
        scores_of_study,
    output:
        report(
            "<results>/{study}/figures/votes.svg",
            caption="../report/votes.rst",
            category="{study}",
            subcategory="Accuracy",
            labels={"what": "votes"},
        ),
    log:
        "<logs>/{study}/draw_votes.log",
    benchmark:
        "<benchmarks>/{study}/draw_votes.tsv"
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        settings=votes_settings,
        code=code_of("draw_votes"),
    message:
        "{wildcards.study}: draw what voting is worth"
    shell:
        "python scripts/draw_votes.py --settings {params.settings:q} --scores {input:q}"
        " --out {output:q} --log {log:q}"


rule tabulate_votes:
    input:
        scores_of_study,
    output:
        csv="<results>/{study}/votes.csv",
        html=report(
            "<results>/{study}/votes.html",
            caption="../report/votes_table.rst",
            category="{study}",
            subcategory="Accuracy",
            labels={"what": "table of votes"},
        ),
    log:
        "<logs>/{study}/tabulate_votes.log",
    benchmark:
        "<benchmarks>/{study}/tabulate_votes.tsv"
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        settings=votes_table_settings,
        code=code_of("tabulate_votes"),
    message:
        "{wildcards.study}: tabulate what voting is worth"
    shell:
        "python scripts/tabulate_votes.py --settings {params.settings:q} --scores {input:q}"
        " --csv {output.csv:q} --html {output.html:q} --log {log:q}"


rule tabulate_spending:
    input:
        bought_files,
    output:
        csv="<results>/{study}/spending.csv",
        html=report(
            "<results>/{study}/spending.html",
            caption="../report/spending.rst",
            category="{study}",
            subcategory="Money",
            labels={"what": "what was asked and paid"},
        ),
    log:
        "<logs>/{study}/tabulate_spending.log",
    benchmark:
        "<benchmarks>/{study}/tabulate_spending.tsv"
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        settings=spending_settings,
        code=code_of("tabulate_spending"),
    message:
        "{wildcards.study}: add up what was paid"
    shell:
        "python scripts/tabulate_spending.py --settings {params.settings:q}"
        " --ledger .snaketune/ledger --csv {output.csv:q} --html {output.html:q} --log {log:q}"


rule draw_grid:
    input:
        rules.tabulate_scores.output.csv,
    output:
        report(
            "<results>/{study}/figures/{grid}.svg",
            caption="../report/grid.rst",
            category="{study}",
            subcategory="Accuracy",
            labels={"what": "{grid}"},
        ),
    log:
        "<logs>/{study}/draw_grid/{grid}.log",
    benchmark:
        "<benchmarks>/{study}/draw_grid/{grid}.tsv"
    wildcard_constraints:
        grid=any_of(all_names("grids")),
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        settings=grid_settings,
        code=code_of("draw_grid"),
    message:
        "{wildcards.study}: draw the way {wildcards.grid} from one adapter to another"
    shell:
        "python scripts/draw_grid.py --settings {params.settings:q} --table {input:q}"
        " --out {output:q} --log {log:q}"


rule draw_loss:
    input:
        losses_of_study,
    output:
        report(
            "<results>/{study}/figures/loss.svg",
            caption="../report/loss.rst",
            category="{study}",
            subcategory="Training",
            labels={"adapter": "all", "what": "loss"},
        ),
    log:
        "<logs>/{study}/draw_loss.log",
    benchmark:
        "<benchmarks>/{study}/draw_loss.tsv"
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        settings=title_settings,
        losses=loss_arguments,
        code=code_of("draw_loss"),
    message:
        "{wildcards.study}: draw the loss of every adapter"
    shell:
        "python scripts/draw_loss.py --settings {params.settings:q} --loss {params.losses:q}"
        " --out {output:q} --log {log:q}"


# One job a study writes the cards of all of its merged models. They are no part of the models: no
# manifest lists them, and a merge leaves them where they are.
for study in filter(merged_of, STUDIES):

    rule:
        name:
            f"write_cards_{study}"
        input:
            carded_files(study),
        output:
            [f"results/{RUN}/{study}/merged/{model}/README.md" for model in merged_of(study)],
        log:
            f"<logs>/{study}/write_cards.log",
        benchmark:
            f"<benchmarks>/{study}/write_cards.tsv"
        localrule: True
        conda:
            "../envs/report.yaml"
        params:
            settings=card_settings(study),
            code=code_of("write_cards"),
        message:
            f"{study}: write the cards of its merged models"
        shell:
            "python scripts/write_cards.py --settings {params.settings:q} --log {log:q}"
