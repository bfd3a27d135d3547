"""The only door to Azure: what we ask of it, and nothing we do not.

`connect` opens the door, `arm` reads, `endpoints`, `access`, `quota`, `registry` and `scoring` each know one part of
the service, `failures` turns every SDK error into one of ours, once. Reads are plain ARM requests through azure-core
(0.1 s to import); writes go through azure-ai-ml (1.5 s), which is imported when the first one is made. Nothing here
decides or retries.
"""
