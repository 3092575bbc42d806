"""The frame of every page that the workflow writes: one file, in light and in dark."""

from typing import Any

import jinja2

FRAME = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ title }}</title>
<style>
:root { --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --band: #f3f5f7; --mark: #0b6b2e;
  --paper: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9aa5b1; --line: #3a434d; --band: #1d242c; --mark: #5fd38a;
    --paper: #12171d; } }
body { margin: 1rem auto; max-width: 76rem; padding: 0 1rem; color: var(--ink);
  background: var(--paper); line-height: 1.5; font-family: system-ui, "Noto Sans CJK SC",
  "Noto Sans SC", "PingFang SC", "Microsoft YaHei", sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { color: var(--soft); max-width: 60rem; }
.note { color: var(--ink); border-left: .25rem solid var(--line); padding-left: .75rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .8rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .6rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { padding-left: .3rem; }
thead th { white-space: normal; vertical-align: bottom; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
thead th { border-bottom: 2px solid var(--line); color: var(--soft); font-weight: 600; }
tbody tr.first td { border-top: 1px solid var(--line); }
tbody tr:hover { background: var(--band); }
tr.beats td:nth-child(3) { color: var(--mark); font-weight: 600; }
</style>
</head>
<body>
{% block body %}{% endblock %}
</body>
</html>
"""


def page(body: str, **values: Any) -> str:
    """A self-contained page: a Jinja template of its body, and `values` (`title` among them).

    All text among the values is escaped.
    """
    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.DictLoader({"frame": FRAME}),
    )
    template = f"{{% extends 'frame' %}}{{% block body %}}\n{body}{{% endblock %}}"
    return environment.from_string(template).render(values)
