"""The benchmark's peer: 200 routers of three routes on FastAPI, as a host that imports its plugins would mount them."""

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    id: str
    title: str


@app.get("/api/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


def router() -> APIRouter:
    made = APIRouter()

    @made.get("/items")
    async def items() -> list[Item]:
        return [Item(id="1", title="One")]

    @made.get("/items/{id}")
    async def item(id: str) -> Item:
        return Item(id=id, title="One")

    @made.put("/items/{id}")
    async def put_item(id: str) -> Item:
        return Item(id=id, title="One")

    return made


for number in range(200):
    app.include_router(router(), prefix=f"/api/plugin-{number:03}")
