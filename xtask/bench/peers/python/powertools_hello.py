from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

app = APIGatewayHttpResolver()


@app.get("/")
def hello():
    return {"message": "Hello Kea"}


def handler(event, context):
    return app.resolve(event, context)
