"""Judging, before any change: does Azure have room for what is wanted, and may we do it. Pure: values in, verdicts out.

    verdict    yes, no or could not tell; who answered; the reasons for a no
    gates      so many are needed, so many are left: the one arithmetic of quota and limits
    cores      what instances of a size ask of a family, of the region's total and of the workspace's own share
    offers     other sizes and regions that would do, cheapest first
    claims     what a model's publisher says about sizes and shared quota
    rights     which actions the steps of a plan need, and whether a list of permissions allows them
    diagnosis  all of it, a line each, for `doctor`
    places     names, and how many endpoints, deployments and role assignments there may be

Nothing here reads or raises. A `no` refuses a plan; what could not be told is shown and blocks nothing.
"""
