"""The paths of OpenAI's audio API: transcriptions, translations, speech; the model is the name of an adapter."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Request, UploadFile
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response

from sure import SAMPLE_RATE
from sure.errors import SureError
from sure.serve.engine import Engine
from sure.serve.formats import FORMS, Transcribed, body, of_result, of_transcript
from sure.serve.settings import TooLarge
from sure.serve.sound import FORMATS, encode

router = APIRouter(prefix="/v1/audio")
Granularity = Literal["word", "segment"]


@router.post("/transcriptions")
async def transcriptions(
    request: Request,
    file: Annotated[UploadFile, File()],
    model: Annotated[str, Form()],
    language: Annotated[str | None, Form()] = None,
    prompt: Annotated[str, Form()] = "",
    response_format: Annotated[str, Form()] = "json",
    temperature: Annotated[float, Form()] = 0.0,
    granularities: Annotated[list[Granularity], Form(alias="timestamp_granularities[]")] = ["segment"],  # noqa: B006
    stream: Annotated[bool, Form()] = False,
) -> Response:
    """The transcript of a recording."""
    _check(response_format, prompt, temperature, stream)
    return await _text(request, file, model, language, response_format, granularities, "transcribe")


@router.post("/translations")
async def translations(
    request: Request,
    file: Annotated[UploadFile, File()],
    model: Annotated[str, Form()],
    prompt: Annotated[str, Form()] = "",
    response_format: Annotated[str, Form()] = "json",
    temperature: Annotated[float, Form()] = 0.0,
) -> Response:
    """The English translation of a recording."""
    _check(response_format, prompt, temperature)
    return await _text(request, file, model, None, response_format, ["segment"], "translate")


class Speech(BaseModel):
    """A text to synthesise."""

    model_config = ConfigDict(extra="ignore")  # such as `instructions`

    model: str
    input: str = Field(min_length=1)
    voice: str = ""
    response_format: str = "mp3"
    speed: float = Field(1.0, ge=0.25, le=4.0)
    stream_format: Literal["audio"] = "audio"


@router.post("/speech")
async def speech(request: Request, given: Speech) -> Response:
    """Speech for a text, by an adapter of the task tts; `voice` is the name of a training speaker."""
    engine: Engine = request.app.state.engine
    if given.response_format not in FORMATS:
        raise SureError(f"response_format {given.response_format!r}: expected one of {', '.join(FORMATS)}")
    if len(given.input) > engine.settings.letters:
        raise TooLarge(f"the text has {len(given.input)} letters, at most {engine.settings.letters} are possible")
    if engine.adapters.of(given.model).task != "tts":
        raise SureError(f"the adapter {given.model!r} does not synthesise speech; use /v1/audio/transcriptions")
    speaker = None if given.voice in ("", "default") else given.voice
    wave, rate = await engine.speech(given.model, given.input, speaker=speaker, speed=given.speed)
    content = await run_in_threadpool(encode, wave.numpy(), rate, given.response_format)
    return Response(content, media_type=FORMATS[given.response_format], headers={"X-Sample-Rate": str(rate)})


def _check(form: str, prompt: str, temperature: float, stream: bool = False) -> None:
    """Raises SureError for options of OpenAI's API that SURE does not have."""
    if form not in FORMS:
        raise SureError(f"response_format {form!r}: expected one of {', '.join(FORMS)}")
    for name, given in (("prompt", prompt), ("temperature", temperature), ("stream", stream)):
        if given:
            raise SureError(f"{name} is not supported; leave it out")


async def _text(
    request: Request,
    file: UploadFile,
    model: str,
    language: str | None,
    form: str,
    granularities: list[Granularity],
    task: Literal["transcribe", "translate"],
) -> Response:
    engine: Engine = request.app.state.engine
    _check_task(model, engine.adapters.of(model).task, task)
    wave = await run_in_threadpool(engine.read, await file.read(), file.filename or "file")
    found = await _transcribed(engine, wave, model, language, form, granularities)
    shown = body(found, form, task, granularities)
    return PlainTextResponse(shown) if isinstance(shown, str) else JSONResponse(shown)


def _check_task(model: str, found: str, wanted: str) -> None:
    if wanted == "translate" and found != "translation":
        raise SureError(f"the adapter {model!r} has the task {found}; translations need one of the task translation")
    if wanted == "transcribe" and found not in ("asr", "transcription", "phoneme", "slots"):
        other = {"translation": "/v1/audio/translations", "tts": "/v1/audio/speech"}.get(found, "/v1/audio/predict")
        raise SureError(f"the adapter {model!r} has the task {found}; use {other}")


async def _transcribed(
    engine: Engine, wave: Any, model: str, language: str | None, form: str, granularities: list[Granularity]
) -> Transcribed:
    """By a mixed batch or, where a whole recogniser has to return times or another language, by itself."""
    adapter, seconds = engine.adapters.of(model), len(wave) / SAMPLE_RATE
    trained = adapter.language
    if adapter.generates:
        timed = form in ("srt", "vtt", "verbose_json")
        if timed or language not in (None, trained):
            stamps, words = timed and adapter.timestamps, form == "verbose_json" and "word" in granularities
            found = await engine.transcript(wave, model, language=language, timestamps=stamps, words=words)
            return of_transcript(found, seconds)
    elif language not in (None, trained):
        raise SureError(f"the adapter {model!r} was trained for {trained}, not for {language!r}; leave language out")
    found = await engine.results(wave, [model])
    return of_result(found[model], seconds, trained)
