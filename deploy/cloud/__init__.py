"""The only door to Azure: what we ask of it, and nothing we do not.

    connect, github, caller       the door, signing in at it, and who has signed in
    session, budget, arm, memory  one HTTP session, how much may be asked, asking ARM, what it answered
    endpoints, shared, scoring    endpoints and what is behind them; those on shared quota; asking a model
    access, holdings, leftovers   roles, what is held of them, what else stands around an endpoint
    quota, registry               cores and sizes of a region; models
    operations, pace              seeing a change through, and how soon to look again
    failures, troubles, forms     Azure's errors as ours, once; its texts; which form an answer has
    importing                     Azure's large libraries, when they are first needed

Reads are plain ARM requests through azure-core (0.1 s to import). azure-ai-ml (1.5 s, when it is first needed) writes
deployments, and endpoints that are not on shared quota. Nothing here decides what is to be done, and no step is tried
again here: a request is sent again when HTTP had a hiccup, a change when a look has shown that it did not come about.
"""
