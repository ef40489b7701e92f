"""Measures live systems: plays scenarios at an endpoint and scores what comes back.

From the top, each knowing only what stands below it: `command`; `running`; `suites`; `results`;
`scoring`, `systems` and `clients`; `listening`; `playing` and `wording`; `traces`.
`serve` and `speed` measure what no suite can.
"""
