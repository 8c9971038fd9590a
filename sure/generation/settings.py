"""Settings of text generation with a decoder."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class GenerationConfig(BaseModel):
    """Search, limits and fallback; the same for every utterance of a decoding."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, allow_inf_nan=False)

    beam: int = Field(1, gt=0, description="hypotheses of the search; 1: greedy")
    length_penalty: float = Field(
        1.0, description="exponent of the number of tokens by which the score of a hypothesis is divided, for beams"
    )
    max_tokens: int | None = Field(
        None, gt=0, description="largest number of tokens of a text; default: the number of positions of the decoder"
    )
    tokens_per_second: float | None = Field(
        None,
        gt=0,
        description="largest number of tokens of a text for each second of the input, so that a text that repeats "
        "itself ends; Moonshine's authors use 6.5 for English; default: no limit",
    )
    no_repeat_ngram: int = Field(0, ge=0, description="no sequence of this many tokens occurs twice; 0: no limit")
    timestamps: bool = Field(False, description="whether the decoder writes the times of segments")
    first_timestamp: float = Field(1.0, ge=0, description="with timestamps: latest start of the first segment, seconds")
    temperatures: list[Annotated[float, Field(ge=0)]] = Field(
        [0.0],
        min_length=1,
        description="temperatures that are tried until a text satisfies the next two limits; above 0: seeded sampling "
        "instead of a search; Whisper's authors use 0, 0.2, 0.4, 0.6, 0.8, 1",
    )
    compression_ratio: float = Field(
        2.4, gt=0, description="with several temperatures: largest ratio of a text's bytes to its bytes after zlib"
    )
    log_probability: float = Field(
        -1.0, description="with several temperatures, and for no_speech: least mean log probability of the tokens"
    )
    no_speech: float | None = Field(
        None,
        ge=0,
        le=1,
        description="the text is empty where the probability of no speech is higher than this and the mean log "
        "probability lower than log_probability; Whisper's authors use 0.6; default: off",
    )
    seed: int = Field(0, ge=0, description="seed of sampling; the text does not depend on the batch")
