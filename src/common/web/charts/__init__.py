"""Charts as SVG, drawn by pure functions: data in, frozen dataclasses out, which the macros of `charts.html` print.

The words of a chart come from its caller. Rules of all charts: docs/decisions/charts-in-python.md.
"""
