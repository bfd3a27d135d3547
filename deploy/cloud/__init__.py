"""All access to Azure.

    connect, github, whoami                   connecting to a workspace; sign-in from GitHub Actions; the principal
    transport, rate_limit, arm, read_cache    the HTTP session, its request budget, ARM requests, their cache
    endpoints, sdk_entities, scoring          endpoints and deployments; azure-ai-ml's entities; scoring requests
    shared_quota, endpoint_keys               endpoints on shared quota; endpoints with the keys of another
    role_assignments, role_state              role assignments; the roles of an endpoint
    autoscale_and_tags                        autoscale settings, merged tags, the marks on Azure's role assignments
    quota, registry, environment_versions     cores and VM sizes of a region; models; environment assets
    operations, poll_interval, preconditions  long-running operations; how often to poll; checks before a write
    azure_errors, error_translation           the table of Azure's errors; Azure's errors as ours
    response_schemas, logs                    the form of responses; the logs of a failed deployment

Reads are plain ARM requests through azure-core (0.1 s to import). azure-ai-ml (1.5 s, imported at its first use) writes
deployments, and endpoints that are not on shared quota. Steps are not retried here: only HTTP errors are retried, and
a change is sent again only after a read has shown that it did not happen.
"""
