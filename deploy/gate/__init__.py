"""Judges a rollout: is the new deployment worse than the live one? Pure statistics, no Azure.

`decide` compares both deployments minute by minute, in errors, latency and wrong answers of test cases. It can be
called at every minute: the probability that a whole rollout goes back although the new deployment is not worse than the
rules allow is at most 1 %.
"""

from __future__ import annotations

from deploy.gate.decision import Answer, Decision, decide
from deploy.gate.minutes import Latency, Minute, Rules, Sample

__all__ = ["Answer", "Decision", "Latency", "Minute", "Rules", "Sample", "decide"]
