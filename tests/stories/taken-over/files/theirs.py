"""Somebody makes an endpoint with azure-ai-ml alone."""

from azure.ai.ml import MLClient
from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint
from azure.identity import DefaultAzureCredential

client = MLClient(DefaultAzureCredential(), "00000000-0000-0000-0000-000000000001", "rg-local", "mlw-local")
endpoint = ManagedOnlineEndpoint(name="lungs", auth_mode="key", tags={"team": "imaging"})
client.online_endpoints.begin_create_or_update(endpoint).result()
deployment = ManagedOnlineDeployment(
    name="main",
    endpoint_name="lungs",
    model="azureml://registries/azureml/models/MedImageParse/versions/17",
    instance_type="Standard_NC24ads_A100_v4",
    instance_count=1,
    environment_variables={"WORKER_COUNT": "2", "PACS_PASSWORD": "correct-horse"},
)
client.online_deployments.begin_create_or_update(deployment).result()
endpoint.traffic = {"main": 100}
client.online_endpoints.begin_create_or_update(endpoint).result()
