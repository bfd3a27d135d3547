"""Registers a custom model with azure-ai-ml."""

from azure.ai.ml import MLClient
from azure.ai.ml.entities import Model
from azure.identity import DefaultAzureCredential

client = MLClient(DefaultAzureCredential(), "00000000-0000-0000-0000-000000000001", "rg-local", "mlw-local")
client.models.create_or_update(
    Model(name="mine", version="1", type="custom_model", path="azureml://datastores/workspaceblobstore/paths/mine")
)
