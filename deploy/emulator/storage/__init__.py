"""Azure Storage: accounts, containers, blobs, their leases, and who can use them."""
