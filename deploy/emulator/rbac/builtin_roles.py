"""Azure's built-in roles for online endpoints: GUIDs as published, and the actions that matter here."""

from __future__ import annotations

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
DATA_SCIENTIST = "f6c7c914-8db3-469d-8ca1-694a8f32e121"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
AI_ADMINISTRATOR = "b78c5d69-af96-48a3-bf8d-a8b4d589de94"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
BLOB_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
BLOB_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"
STORAGE_CONTRIBUTOR = "17d1049b-9a84-46fb-8f53-869881c3d3ab"
SECRETS_READER = "ea01e6af-a1c1-4350-9563-ad00f8c72ec5"
MONITORING_READER = "43d0d8ad-25c7-4714-9337-8ba259a9fe05"
METRICS_WRITER = "635dd51f-9968-44d3-b7fb-6d9a6bd613ae"
_ML = "Microsoft.MachineLearningServices"
_STORAGE = "Microsoft.Storage/storageAccounts"
_VAULT = "Microsoft.KeyVault/vaults"
_USERS = "Microsoft.ManagedIdentity/userAssignedIdentities"
_AUTH = "Microsoft.Authorization"
_ACR = "Microsoft.ContainerRegistry/registries"
ROLES: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    # GUID, name, actions, not actions, data actions
    (OWNER, "Owner", ("*",), (), ()),
    (CONTRIBUTOR, "Contributor", ("*",),
     (f"{_AUTH}/*/Delete", f"{_AUTH}/*/Write", f"{_AUTH}/elevateAccess/Action"), ()),
    (READER, "Reader", ("*/read",), (), ()),
    (MONITORING_READER, "Monitoring Reader",
     ("*/read", "Microsoft.OperationalInsights/workspaces/search/action", "Microsoft.Support/*"), (), ()),
    ("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", "User Access Administrator",
     ("*/read", "Microsoft.Authorization/*"), (), ()),
    ("f58310d9-a9f6-439a-9e8d-f62e7b41a168", "Role Based Access Control Administrator",
     (f"{_AUTH}/roleAssignments/write", f"{_AUTH}/roleAssignments/delete", "*/read"), (), ()),
    (DATA_SCIENTIST, "AzureML Data Scientist",
     tuple(f"{_ML}/workspaces/*/{verb}" for verb in ("read", "action", "delete", "write")),
     (f"{_ML}/workspaces/delete", f"{_ML}/workspaces/write", f"{_ML}/workspaces/computes/*/write",
      f"{_ML}/workspaces/computes/*/delete", f"{_ML}/workspaces/computes/listKeys/action",
      f"{_ML}/workspaces/listKeys/action", f"{_ML}/workspaces/hubs/write", f"{_ML}/workspaces/hubs/delete",
      f"{_ML}/workspaces/featurestores/write", f"{_ML}/workspaces/featurestores/delete"), ()),
    ("e503ece1-11d0-4e8e-8e2c-7a6c3bf38815", "AzureML Compute Operator",
     (f"{_ML}/workspaces/computes/*", f"{_ML}/workspaces/notebooks/vm/*"), (), ()),
    (METRICS_WRITER, "AzureML Metrics Writer (preview)", (f"{_ML}/workspaces/metrics/*/write",), (), ()),
    ("1823dd4f-9b8c-4ab6-ab4e-7397a3684615", "AzureML Registry User",
     (f"{_ML}/registries/read", f"{_ML}/registries/assets/*"), (), ()),
    (SECRETS_READER, "Azure Machine Learning Workspace Connection Secrets Reader",
     (f"{_ML}/workspaces/connections/listsecrets/action", f"{_ML}/workspaces/metadata/secrets/read"), (), ()),
    (AI_ADMINISTRATOR, "Azure AI Administrator", (f"{_ML}/*", "Microsoft.Authorization/*/read"), (), ()),
    ("64702f94-c441-49e6-a78b-ef80e0188fee", "Azure AI Developer",
     tuple(f"{_ML}/workspaces/*/{verb}" for verb in ("read", "action", "delete", "write")),
     (f"{_ML}/workspaces/delete", f"{_ML}/workspaces/write"), ()),
    ("3afb7f49-54cb-416e-8c09-6dc049efa503", "Azure AI Inference Deployment Operator",
     ("Microsoft.Authorization/*/read", f"{_ML}/workspaces/onlineEndpoints/*"), (), ()),
    (ACR_PULL, "AcrPull", (f"{_ACR}/pull/read",), (), ()),
    ("8311e382-0749-4cb8-b61a-304f252e45ec", "AcrPush",
     (f"{_ACR}/pull/read", f"{_ACR}/push/write"), (), ()),
    (BLOB_READER, "Storage Blob Data Reader", (f"{_STORAGE}/blobServices/containers/read",), (),
     (f"{_STORAGE}/blobServices/containers/blobs/read",)),
    (BLOB_CONTRIBUTOR, "Storage Blob Data Contributor",
     tuple(f"{_STORAGE}/blobServices/containers/{v}" for v in ("read", "write", "delete")), (),
     tuple(f"{_STORAGE}/blobServices/containers/blobs/{v}" for v in ("read", "write", "delete"))),
    (BLOB_OWNER, "Storage Blob Data Owner",
     (f"{_STORAGE}/blobServices/containers/*",), (),
     (f"{_STORAGE}/blobServices/containers/blobs/*",)),
    (STORAGE_CONTRIBUTOR, "Storage Account Contributor", (f"{_STORAGE}/*",), (), ()),
    ("4633458b-17de-408a-b874-0445c86b69e6", "Key Vault Secrets User", (), (), (f"{_VAULT}/secrets/getSecret/action",)),
    ("21090545-7ca7-4776-b22c-e363652d74d2", "Key Vault Reader", (f"{_VAULT}/read",), (), ()),
    ("b86a8fe4-44ce-4948-aee5-eccb2c155cd7", "Key Vault Secrets Officer", (f"{_VAULT}/*/read",), (),
     (f"{_VAULT}/secrets/*",)),
    ("f1a07417-d97a-45cb-824c-7a7467783830", "Managed Identity Operator",
     (f"{_USERS}/*/read",
      f"{_USERS}/*/assign/action"), (), ()),
    ("e40ec5ca-96e0-45a2-b4ff-59039f2c2b59", "Managed Identity Contributor",
     (f"{_USERS}/read", f"{_USERS}/write",
      f"{_USERS}/delete"), (), ()),
)  # fmt: skip
