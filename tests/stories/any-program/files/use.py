import base64
import json
from pathlib import Path

from azure.ai.ml import MLClient
from azure.identity import DefaultAzureCredential

client = MLClient(DefaultAzureCredential(), "00000000-0000-0000-0000-000000000001", "rg-local", "mlw-local")
for endpoint in client.online_endpoints.list():
    print(endpoint.name, endpoint.provisioning_state, endpoint.traffic)
    image = base64.b64encode(Path("templates/medimageparse/probe/phantom.png").read_bytes()).decode()
    table = {"columns": ["image", "text"], "index": [0], "data": [[image, "left lung"]]}
    Path("request.json").write_text(json.dumps({"input_data": table, "params": {}}))
    answer = json.loads(client.online_endpoints.invoke(endpoint.name, request_file="request.json"))
    print(json.loads(answer[0]["image_features"])["shape"], answer[0]["text_features"])
