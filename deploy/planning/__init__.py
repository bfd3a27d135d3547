"""From specs and facts to a plan: the steps from what exists to what is desired. Pure, except `observe`."""
