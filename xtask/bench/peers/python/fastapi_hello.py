from fastapi import FastAPI
from mangum import Mangum

app = FastAPI()


@app.get("/")
def hello():
    return {"message": "Hello Kea"}


handler = Mangum(app, lifespan="off")
