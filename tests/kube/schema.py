"""Reads manifests strictly, and checks them against the schemas that Kubernetes publishes for a version
(tests/kube/schemas, made by tools/generate-kubernetes-schemas)."""

import json
import os

import jsonschema
import yaml

VERSIONS = ("1.29", "1.34")
HERE = os.path.dirname(os.path.abspath(__file__))


class Strict(yaml.SafeLoader):
    """YAML 1.1, as older readers take it; a key that stands twice is an error."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(keys) == len(set(keys)), ("a key stands twice", keys)
        assert all(isinstance(key, str) for key in keys), keys
        return super().construct_mapping(node, deep)


Strict.yaml_implicit_resolvers = {key: list(value) for key, value in yaml.SafeLoader.yaml_implicit_resolvers.items()}


def read(text):
    return list(yaml.load_all(text, Loader=Strict))


def strict(schema, partial):
    """Fields that the schema does not name are errors; `partial`: a patch need not have those required."""
    if isinstance(schema, list):
        return [strict(each, partial) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {}
    for key, value in schema.items():
        if key == "properties":
            made[key] = {name: strict(each, partial) for name, each in value.items()}
        elif key != "required" or not partial:
            made[key] = strict(value, partial)
    if "properties" in schema and "additionalProperties" not in schema:
        made["additionalProperties"] = False
    return made


class Schemas:
    def __init__(self, version):
        with open(os.path.join(HERE, "schemas", f"kubernetes-{version}.json"), encoding="utf-8") as file:
            self.document = json.load(file)
        self.kinds = self.document["kinds"]
        self.validators = {}

    def check(self, value, partial=False):
        """Raises what is wrong with it."""
        kind = f"{value['apiVersion']} {value['kind']}"
        if (kind, partial) not in self.validators:
            definitions = {name: strict(each, partial) for name, each in self.document["definitions"].items()}
            schema = {"$ref": f"#/definitions/{self.kinds[kind]}", "definitions": definitions}
            self.validators[kind, partial] = jsonschema.Draft7Validator(schema)
        errors = [f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
                  for error in self.validators[kind, partial].iter_errors(value)]
        assert not errors, (kind, errors)
