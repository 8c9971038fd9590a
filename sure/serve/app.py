"""The application: routes, errors and limits around one engine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sure import __version__
from sure.errors import SureError
from sure.serve import audio_routes, own_routes
from sure.serve.engine import Engine
from sure.serve.guard import Guard, answer
from sure.serve.settings import HttpError, Settings


def make_app(settings: Settings) -> FastAPI:
    """Load the bundles and make the application. Raises SureError for an unusable bundle."""
    engine = Engine(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        engine.close()

    app = FastAPI(title="SURE", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.engine = engine
    app.include_router(audio_routes.router)
    app.include_router(own_routes.router)
    app.add_middleware(Guard, settings=settings, metrics=engine.metrics)

    @app.exception_handler(SureError)
    async def refused(request: Request, error: SureError) -> Response:
        return answer(error.status if isinstance(error, HttpError) else 400, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        faults = (f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors())
        return answer(400, "; ".join(faults))

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        if isinstance(error.__cause__, OSError):  # of the temporary file of a large upload
            advice = "send less than 1 MB, or free space in the server's temporary folder"
            return answer(507, f"the upload cannot be stored: {error.__cause__.strerror}; {advice}")
        return answer(error.status_code, f"{request.method} {request.url.path}: {error.detail}")

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        return answer(500, "an error of the server; its log has the details")

    return app
