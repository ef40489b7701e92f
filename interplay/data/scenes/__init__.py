"""Drawn scenes with exact times: films whose events are known to the sample. See each module."""
