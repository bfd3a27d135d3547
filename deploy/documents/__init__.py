"""What users write: the pydantic models of the files, YAML with locations, and the JSON Schemas.

config/validation checks files against these models. The models contain types and rules for one field.
"""
