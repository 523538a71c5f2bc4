import os

import boto3
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

app = APIGatewayHttpResolver()
table = boto3.resource("dynamodb").Table(os.environ["PRODUCTS_TABLE"])


@app.get("/nosqldata/<id>")
def get(id):
    return table.get_item(Key={"id": id}, ConsistentRead=True)["Item"]


def handler(event, context):
    return app.resolve(event, context)
