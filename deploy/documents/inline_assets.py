"""Pydantic models of what a deployment file can contain inline: code, a model, an environment."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from deploy.documents.fields import AssetName, Document, Scalar, StringMap, Whole, union_tag


class Code(Document):
    """The scoring code."""

    code: str | None = Field(default=None, description="Folder, relative to this file.", examples=["code"])
    scoring_script: str | None = Field(default=None, description="File inside the folder.", examples=["score.py"])


class InlineModel(Document):
    """A model that is registered with the deployment."""

    schema_: str | None = Field(
        default=None,
        alias="$schema",
        description="The JSON Schema of this file, for editors of `az ml`. Not sent to Azure.",
        examples=["https://azuremlschemas.azureedge.net/latest/model.schema.json"],
    )
    name: AssetName | None = Field(
        default=None, description="Name of the asset; computed from its content if absent.", examples=["iris"]
    )
    version: Scalar = Field(default=None, description="Version of the asset.", examples=["1"])
    path: str = Field(
        min_length=1, description="File or folder relative to this file; with a name also a URI.", examples=["model"]
    )
    type: Literal["custom_model", "mlflow_model", "triton_model"] = Field(
        default="custom_model", description="The form of the files."
    )
    description: str | None = Field(default=None, description="Text for readers.", examples=["Trained in May."])
    tags: StringMap = Field(
        default={}, description="Names and values, which can change.", examples=[{"team": "imaging"}]
    )
    properties: StringMap = Field(
        default={}, description="Names and values, which cannot change.", examples=[{"origin": "example"}]
    )
    flavors: dict[str, dict[str, Any]] = Field(
        default={},
        description="Flavors of an MLflow model.",
        examples=[{"python_function": {"loader_module": "mlflow.sklearn"}}],
    )
    stage: str | None = Field(
        default=None, description="Stage of the model, such as Production.", examples=["Production"]
    )
    datastore: str | None = Field(
        default=None,
        description="Datastore for the upload; workspaceblobstore by default.",
        examples=["workspaceblobstore"],
    )


class Route(Document):
    """One HTTP route of a container."""

    port: Whole = Field(ge=1, le=65535, description="Port of the container.", examples=[8080])
    path: str = Field(pattern="^/", description="Path of the route.", examples=["/score"])


class InferenceConfig(Document):
    """The HTTP routes of a custom container."""

    liveness_route: Route = Field(
        description="Answers 200 while the server lives.", examples=[{"port": 8080, "path": "/live"}]
    )
    readiness_route: Route = Field(
        description="Answers 200 when the server can take requests.", examples=[{"port": 8080, "path": "/ready"}]
    )
    scoring_route: Route = Field(
        description="Receives the scoring requests.", examples=[{"port": 8080, "path": "/score"}]
    )


class Build(Document):
    """A docker build context."""

    path: str = Field(description="Folder relative to this file, or a URL.", examples=["container"])
    dockerfile_path: str | None = Field(
        default=None, description="The Dockerfile inside the folder; Dockerfile by default.", examples=["Dockerfile"]
    )


class InlineEnvironment(Document):
    """An environment that is registered with the deployment."""

    schema_: str | None = Field(
        default=None,
        alias="$schema",
        description="The JSON Schema of this file, for editors of `az ml`. Not sent to Azure.",
        examples=["https://azuremlschemas.azureedge.net/latest/environment.schema.json"],
    )
    name: AssetName | None = Field(
        default=None, description="Name of the asset; computed from its content if absent.", examples=["iris-env"]
    )
    version: Scalar = Field(default=None, description="Version of the asset.", examples=["1"])
    image: str | None = Field(
        default=None,
        min_length=1,
        description="The image, or the base image of a conda file.",
        examples=["mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:latest"],
    )
    conda_file: Annotated[
        Annotated[str, Tag("reference")] | Annotated[dict[str, Any], Tag("inline")], Discriminator(union_tag)
    ] = Field(default="", description="File relative to this file, or its content.", examples=["conda.yml"])
    build: Build | None = Field(
        default=None, description="A Dockerfile from which Azure ML builds the image.", examples=[{"path": "container"}]
    )
    inference_config: InferenceConfig | None = Field(
        default=None,
        description="The routes of a container with its own server.",
        examples=[
            {
                "liveness_route": {"port": 8080, "path": "/live"},
                "readiness_route": {"port": 8080, "path": "/ready"},
                "scoring_route": {"port": 8080, "path": "/score"},
            }
        ],
    )
    os_type: Literal["linux", "windows", "Linux", "Windows"] = Field(
        default="linux", description="Operating system of the image."
    )
    description: str | None = Field(
        default=None, description="Text for readers.", examples=["Python with scikit-learn."]
    )
    tags: StringMap = Field(
        default={}, description="Names and values, which can change.", examples=[{"team": "imaging"}]
    )
    datastore: str | None = Field(
        default=None,
        description="Datastore for the upload; workspaceblobstore by default.",
        examples=["workspaceblobstore"],
    )
