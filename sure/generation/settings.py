"""Settings of text generation with a decoder."""

from pydantic import BaseModel, ConfigDict, Field


class GenerationConfig(BaseModel):
    """Search, limits and fallback; the same for every utterance of a decoding."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, allow_inf_nan=False)

    beam: int = Field(1, gt=0, description="hypotheses of the search; 1: greedy")
    length_penalty: float = Field(
        1.0, description="exponent of the number of tokens by which the score of a hypothesis is divided, for beams"
    )
    max_tokens: int | None = Field(None, gt=0, description="most tokens of a text; default: what the decoder can hold")
    no_repeat_ngram: int = Field(0, ge=0, description="no sequence of this many tokens occurs twice; 0: no limit")
    timestamps: bool = Field(False, description="whether the decoder writes the times of segments")
    first_timestamp: float = Field(1.0, ge=0, description="with timestamps: latest start of the first segment, seconds")
    temperatures: list[float] = Field(
        [0.0],
        min_length=1,
        description="temperatures in turn, until a text passes the limits below; above 0: seeded sampling; Whisper's "
        "paper has 0, 0.2, ..., 1",
    )
    compression_ratio: float = Field(
        2.4, gt=0, description="fallback: most times that zlib may shorten a text; more is a repetition"
    )
    log_probability: float = Field(-1.0, description="fallback: least mean log probability of the tokens of a text")
    no_speech: float = Field(
        0.6, ge=0, le=1, description="fallback: a text below log_probability is empty above this no-speech probability"
    )
    seed: int = Field(0, ge=0, description="seed of sampling; the text does not depend on the batch")
