"""Asking models behind OpenAI-compatible addresses: one client for teachers, judges, predictions.

`client` asks and retries, `wire` is the form of requests and answers, `waits` how long to wait
between tries, `ledger` what each request cost, `budget` what may still be spent, and `background`
runs it all behind a plain generator.
"""
