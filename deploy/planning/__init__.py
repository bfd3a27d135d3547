"""From specs and facts to a plan: which steps lead from what exists to what is described. Pure."""
