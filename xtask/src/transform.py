"""Does to a SAM template what CloudFormation's transform does.

Usage: transform.py TEMPLATE OUTPUT [NAME=VALUE ...]
"""

import json
import logging
import sys

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

# It warns of switches that only AWS itself has.
logging.disable(logging.WARNING)

template_file, output_file, *overrides = sys.argv[1:]
with open(template_file, encoding="utf-8") as file:
    template = yaml_parse(file)

declared = template.get("Parameters", {})
values = {name: parameter["Default"] for name, parameter in declared.items() if "Default" in parameter}
for override in overrides:
    name, value = override.split("=", 1)
    if name not in declared:
        sys.exit(f"{name} is no parameter of {template_file}")
    values[name] = value

# `sam deploy` uploads the code first, and names where.
template["Globals"]["Function"].pop("CodeUri", None)
for resource in template["Resources"].values():
    if resource["Type"] == "AWS::Serverless::Function":
        resource["Properties"]["CodeUri"] = "s3://uploaded/code.zip"

transformed = Translator({}, Parser()).translate(template, values)
with open(output_file, "w", encoding="utf-8") as file:
    json.dump(transformed, file, indent=1)
