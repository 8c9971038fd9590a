"""Paths beyond OpenAI's: results of every task, adapters at run time, health, metrics and the page."""

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from sure import SAMPLE_RATE
from sure.errors import SureError
from sure.models.result import Result
from sure.serve.adapters import Adapter
from sure.serve.engine import Engine
from sure.serve.formats import words_of
from sure.text.slots import slots_of

router = APIRouter()


@router.get("/v1/models")
async def models(request: Request) -> dict[str, Any]:
    """The adapters."""
    engine: Engine = request.app.state.engine
    return {"object": "list", "data": [_model(name, each) for name, each in engine.adapters.all().items()]}


@router.get("/v1/models/{name}")
async def model(request: Request, name: str) -> dict[str, Any]:
    engine: Engine = request.app.state.engine
    return _model(name, engine.adapters.of(name))


def _model(name: str, adapter: Adapter) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "sure", **adapter.about()}


@router.post("/v1/audio/predict")
async def predict(
    request: Request, file: Annotated[UploadFile, File()], model: Annotated[list[str], Form()]
) -> dict[str, Any]:
    """Results of one recording by one adapter or several: text, words, class scores, slots, phones, embedding."""
    engine: Engine = request.app.state.engine
    names = [name for each in model for name in each.split(",") if name]
    tasks = {name: engine.adapters.of(name).task for name in names}
    for name, task in tasks.items():
        if task == "tts":
            raise SureError(f"the adapter {name!r} synthesises speech; use /v1/audio/speech")
    wave = await run_in_threadpool(engine.read, await file.read(), file.filename or "file")
    found = await engine.results(wave, names)
    shown = {name: _shown(result, tasks[name]) for name, result in found.items()}
    return {"duration": round(len(wave) / SAMPLE_RATE, 3), "results": shown}


def _shown(found: Result, task: str) -> dict[str, Any]:
    """The parts of a result that its task has."""
    if found.embedding is not None:
        return {"task": task, "embedding": found.embedding.tolist()}
    if found.scores:
        return {"task": task, "label": found.line, "scores": found.scores}
    shown: dict[str, Any] = {"task": task, "text": found.line, "words": [words_of(one) for one in found.words]}
    if task == "slots":
        shown["slots"] = [{"type": kind, "value": value} for kind, value in slots_of(found.line)]
    if task == "phoneme":
        shown["phones"] = found.line.split()
    return shown


class NewAdapter(BaseModel):
    """bundle: the name of a folder in the folder of adapters."""

    name: str = Field(pattern=r"^[\w.-]{1,100}$")
    bundle: str


@router.post("/v1/adapters", status_code=201)
async def add(request: Request, given: NewAdapter) -> dict[str, Any]:
    """Add a bundle from the folder that the server was started with."""
    engine: Engine = request.app.state.engine
    added = await engine.add(given.name, given.bundle)
    return _model(given.name, added)  # another request may have removed it since


@router.delete("/v1/adapters/{name}")
async def remove(request: Request, name: str) -> dict[str, Any]:
    engine: Engine = request.app.state.engine
    await engine.remove(name)
    return {"id": name, "object": "model", "deleted": True}


@router.get("/health")
async def health(request: Request) -> dict[str, Any]:
    engine: Engine = request.app.state.engine
    return {"status": "ok", "adapters": len(engine.adapters), "waiting": engine.batches.waiting}


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """In the format of Prometheus."""
    return Response(request.app.state.engine.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/")
async def page() -> Response:
    """The page for people; it loads nothing from elsewhere."""
    content, policy = _page()
    return HTMLResponse(content, headers={"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"})


@cache
def _page() -> tuple[str, str]:
    """The page, and the policy that allows its own script and style alone."""
    content = files("sure.serve").joinpath("page.html").read_text(encoding="utf-8")
    hashes = {}
    for tag in ("script", "style"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", content, re.DOTALL)
        hashes[tag] = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
    own = f"script-src 'sha256-{hashes['script']}'; style-src 'sha256-{hashes['style']}'; connect-src 'self'"
    more = "img-src data:; media-src blob:; base-uri 'none'; frame-ancestors 'none'"
    return content, f"default-src 'none'; {own}; {more}"
