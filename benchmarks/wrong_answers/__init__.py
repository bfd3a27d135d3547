"""Wrong answers of models for `benchmarks/regressions.py`, made from the right answers of the emulator's stand-ins.

`any_answer`, `masks`, `vectors` and `reports` have the regressions, `harmless` the changes that must pass, `templates`
the inputs of a medical template and the judgement of its probe, `command_line` an apply whose new release answers
wrongly.
"""
