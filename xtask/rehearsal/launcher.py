"""ministack, with what it lacks for template.yaml.

`cargo xtask rehearse` runs this. It registers the resource types that the
emulator does not know as placeholders in its (private) table of handlers, so
that the template stays as it is, and then starts the emulator.
"""

import inspect
import json
import os
import re
import uuid

from ministack.services import apigateway, secretsmanager
from ministack.services.cloudformation import engine, language_extensions, provisioners

HANDLERS = provisioners._RESOURCE_HANDLERS
API_ID = os.environ["REHEARSE_API_ID"]
SECRET = os.environ["REHEARSE_SECRET"]
VARIABLES = json.loads(os.environ["REHEARSE_VARIABLES"])  # by logical id


def placeholder(prefix, attributes=None):
    """A resource that exists in the stack alone."""
    attributes = attributes or {}
    return {
        "create": lambda logical_id, properties, stack: (f"{prefix}-{uuid.uuid4().hex[:17]}", dict(attributes)),
        "update": lambda physical_id, old, new, stack: (physical_id, dict(attributes)),
        "delete": lambda physical_id, properties: None,
    }


def wrap(kind, prepare=None, complete=None):
    """`prepare` changes the properties of a resource before its handler gets them;
    `complete` returns attributes to add to the handler's."""
    handler = HANDLERS[kind] = dict(HANDLERS[kind])
    create, update = handler["create"], handler.get("update")
    prepare = prepare or (lambda logical_id, properties: properties)
    complete = complete or (lambda physical_id, properties: {})

    def created(logical_id, properties, stack):
        physical_id, attributes = create(logical_id, prepare(logical_id, properties), stack)
        return physical_id, {**attributes, **complete(physical_id, properties)}

    def updated(physical_id, old, new, stack, logical_id=None):
        prepared = prepare(logical_id, old), prepare(logical_id, new)
        try:
            result = update(physical_id, *prepared, stack, logical_id=logical_id)
        except TypeError:
            result = update(physical_id, *prepared, stack)
        physical_id, attributes = result[:2]
        return physical_id, {**attributes, **complete(physical_id, new)}

    handler["create"] = created
    if update:
        handler["update"] = updated


for kind, prefix in {
    "AWS::CodeDeploy::Application": "application",
    "AWS::CodeDeploy::DeploymentGroup": "group",
    "AWS::EC2::EgressOnlyInternetGateway": "eigw",
    "AWS::EC2::SecurityGroupIngress": "sgr",
    "AWS::EC2::VPCCidrBlock": "vpc-cidr-assoc",
    "AWS::Logs::QueryDefinition": "query",
    "AWS::RDS::DBProxyTargetGroup": "target-group",
}.items():
    HANDLERS.setdefault(kind, placeholder(prefix))
HANDLERS.setdefault(
    "AWS::RDS::DBProxy",
    placeholder("proxy", {"Endpoint": "127.0.0.1", "DBProxyArn": "arn:aws:rds:eu-north-1:000000000000:db-proxy:prx-1"}),
)


def network(physical_id, properties):
    return {"CidrBlock": properties["CidrBlock"], "Ipv6CidrBlocks": ["2001:db8:1234:1a00::/56"]}


wrap("AWS::EC2::VPC", complete=network)


def secret(physical_id, properties):
    """RDS makes a secret for the first user."""
    name = f"rds!{physical_id}"
    if name not in secretsmanager._secrets:
        secretsmanager._create_secret({"Name": name, "SecretString": SECRET})
    return {"MasterUserSecret.SecretArn": secretsmanager._secrets[name]["ARN"]}


wrap("AWS::RDS::DBInstance", complete=secret)


def environment(logical_id, properties):
    """The stores of this machine, in place of those of AWS."""
    variables = VARIABLES.get(logical_id or "")
    if not variables:
        return properties
    own = properties.get("Environment", {}).get("Variables", {})
    return {**properties, "Environment": {"Variables": {**own, **variables}}}


wrap("AWS::Lambda::Function", prepare=environment)


def pinned(logical_id, properties):
    return {**properties, "Name": "rehearsal", "Tags": {**properties.get("Tags", {}), "ms-custom-id": API_ID}}


def routes(api_id, properties):
    """The emulator ignores `Body`, where SAM puts the routes."""
    apigateway._routes[api_id], apigateway._integrations[api_id] = {}, {}
    body = properties.get("Body", {})
    cors = body.get("x-amazon-apigateway-cors")
    if cors:
        apigateway._apis[api_id]["corsConfiguration"] = cors
    for path, item in body.get("paths", {}).items():
        for method, operation in item.items():
            integration = operation["x-amazon-apigateway-integration"]
            made = apigateway._create_integration(
                api_id,
                {
                    "integrationType": "AWS_PROXY",
                    "integrationUri": integration["uri"],
                    "payloadFormatVersion": integration["payloadFormatVersion"],
                },
            )
            made = json.loads(made[2])["integrationId"]
            verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
            apigateway._create_route(api_id, {"routeKey": f"{verb} {path}", "target": f"integrations/{made}"})
    return {}


wrap("AWS::ApiGatewayV2::Api", prepare=pinned, complete=routes)

# Without CORS, `OPTIONS` is a method like any other.
source = inspect.getsource(apigateway._handle_execute_in_scope)
source = source.replace('if method == "OPTIONS":', 'if method == "OPTIONS" and cors_cfg:')
exec(source, vars(apigateway))  # noqa: S102

# Alarms of metric math are refused.
alarm, mathematical = HANDLERS["AWS::CloudWatch::Alarm"], placeholder("alarm")


def of(properties):
    return mathematical if properties.get("Metrics") else alarm


HANDLERS["AWS::CloudWatch::Alarm"] = {
    "create": lambda logical_id, properties, stack: of(properties)["create"](logical_id, properties, stack),
    "update": lambda physical_id, old, new, stack, **more: (
        mathematical["update"](physical_id, old, new, stack)
        if new.get("Metrics")
        else alarm["update"](physical_id, old, new, stack, **more)
    ),
    "delete": lambda physical_id, properties: of(properties)["delete"](physical_id, properties),
}

# AWS::LanguageExtensions resolves what is known before SAM runs
# (https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-intrinsic-functions.html,
# aws/serverless-application-model#2533); the emulator's does a part of that.
apply = language_extensions.apply
REMOVED = object()


def resolved(value, parameters, conditions):
    if isinstance(value, list):
        values = (resolved(item, parameters, conditions) for item in value)
        return [item for item in values if item is not REMOVED]
    if not isinstance(value, dict):
        return value
    if value == {"Ref": "AWS::NoValue"}:
        return REMOVED
    if set(value) == {"Ref"} and value["Ref"] in parameters:
        return str(parameters[value["Ref"]])
    if set(value) == {"Fn::If"} and value["Fn::If"][0] in conditions:
        condition, then, otherwise = value["Fn::If"]
        return resolved(then if conditions[condition] else otherwise, parameters, conditions)
    if set(value) == {"Fn::Sub"} and isinstance(value["Fn::Sub"], str):
        known = lambda match: str(parameters.get(match[1], match[0]))
        text = re.sub(r"\$\{(\w+)\}", known, value["Fn::Sub"])
        return {"Fn::Sub": text} if "${" in text else text
    items = ((key, resolved(item, parameters, conditions)) for key, item in value.items())
    return {key: item for key, item in items if item is not REMOVED}


def extended(template, parameters):
    template = apply(template, parameters)
    values = {name: {"Value": value} for name, value in parameters.items()}
    conditions = engine._evaluate_conditions(template, values)
    for section in ("Globals", "Resources"):
        if section in template:
            template[section] = resolved(template[section], parameters, conditions)
    return template


language_extensions.apply = extended

from ministack.app import main  # noqa: E402

main()
