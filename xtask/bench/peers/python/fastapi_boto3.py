import os

import boto3
from fastapi import FastAPI
from mangum import Mangum

app = FastAPI()
table = boto3.resource("dynamodb").Table(os.environ["PRODUCTS_TABLE"])


@app.get("/nosqldata/{id}")
def get(id: str):
    return table.get_item(Key={"id": id}, ConsistentRead=True)["Item"]


handler = Mangum(app, lifespan="off")
