"""Crawling the questions of a site, and reading them from its pages.

`spider` is the base of all spiders, `jkbd` and `jxedt` are two, `conduct` is how each of them
behaves towards a site, `local_site` serves made questions in the shapes of both.
"""
