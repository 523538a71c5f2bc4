from apig_wsgi import make_lambda_handler
from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello():
    return {"message": "Hello Kea"}


handler = make_lambda_handler(app)
