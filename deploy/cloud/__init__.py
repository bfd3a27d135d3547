"""All access to Azure.

    connect, github, whoami                   connecting to a workspace; sign-in from GitHub Actions; the principal
    transport, rate_limit, arm, read_cache    the HTTP session, its request budget, ARM requests, their cache
    endpoints, entities, scoring              endpoints and deployments; azure-ai-ml's entities; scoring requests
    shared_quota, endpoint_keys               endpoints on shared quota; endpoints with the keys of another
    role_assignments, role_state, orphans     roles; the roles of an endpoint; autoscale settings, tags, marks
    quota, registry, environments             cores and VM sizes of a region; models; environment versions
    operations, poll_interval, preconditions  long-running operations; how often to poll; checks before a write
    failures, error_table, response_schemas   Azure's errors as ours; the table of errors; the form of responses
    logs                                      the logs of a failed deployment

Reads are plain ARM requests through azure-core (0.1 s to import). azure-ai-ml (1.5 s, imported at its first use) writes
deployments, and endpoints that are not on shared quota. Steps are not retried here: only HTTP errors are retried, and
a change is sent again only after a read has shown that it did not happen.
"""
