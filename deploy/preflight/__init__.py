"""Checks before any change: does Azure have quota for the plan, and is the caller allowed to apply it. Pure.

    check_result   yes, no or unknown; the source; the reasons for a no
    headroom       the arithmetic of limits: how much a plan needs, how much is left
    core_quota     cores that a plan needs: of a family, of the region, and of the workspace's own share
    alternatives   other sizes and regions with enough quota, cheapest first
    model_support  what the publisher of a model states about sizes and shared quota
    instances      instances that run before, during and after the steps of a plan
    cost           what a plan costs, and the guards about it
    limits         names, and the limits of endpoints, deployments and role assignments
    permissions    the actions that steps need, and whether a list of permissions allows them
    exposure       changes that open a resource to more networks or weaken its authentication
    guards         limits of an environment file
    refusals       changes that a plan must not make
    doctor         all checks, one line each

No module here reads from Azure. A `no` refuses a plan; an unknown result is shown and refuses nothing.
"""
