"""Special tokens of Whisper and Moonshine in the settings of their models."""

from dataclasses import dataclass, fields
from typing import Any

START, END, BEFORE, ALL_TEXT = "<|startoftranscript|>", "<|endoftext|>", "<|startofprev|>", "<|notimestamps|>"
NO_SPEECH = ("<|nospeech|>", "<|nocaptions|>")  # the name in newer and in older files
TASKS = ("transcribe", "translate")
SHORTEST_MULTILINGUAL = 51865  # tokens; English models have the same language tokens, one id lower, without using them


@dataclass(frozen=True)
class Special:
    """Ids of special tokens and settings of generation.

    size: width of the decoder's output. timestamps: id of 0 s, each next one is 20 ms later. languages, tasks: empty
    for a recogniser of one language. suppressed: never generated. suppressed_first: not as the first token.
    alignment_heads: (layer, head) of the decoder whose cross-attention follows the words in time.
    """

    size: int
    start: int
    end: int
    before: int | None = None  # before the text of the previous window
    no_speech: int | None = None
    no_timestamps: int | None = None
    timestamps: int | None = None
    languages: dict[str, int] | None = None
    tasks: dict[str, int] | None = None
    suppressed: tuple[int, ...] = ()
    suppressed_first: tuple[int, ...] = ()
    alignment_heads: tuple[tuple[int, int], ...] = ()


def bytes_tokenizer(vocabulary: dict[str, int], merges: str, added: dict[str, int]) -> dict[str, Any]:
    """tokenizer.json from vocab.json, merges.txt and added_tokens.json, which a folder of Whisper may have instead.

    Merges are lines; one that begins with #version is a comment.
    """
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    names = {**added, **{name: id for name, id in vocabulary.items() if name == END}}
    in_order = sorted(names.items(), key=lambda item: item[1])
    lines = [line for line in merges.splitlines() if line and not line.startswith("#version")]
    step = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "added_tokens": [{"id": id, "content": name, **flags} for name, id in in_order],
        "pre_tokenizer": step,
        "decoder": step,
        "model": {"type": "BPE", "vocab": vocabulary, "merges": lines},
    }


def with_all_merges(tokenizer: dict[str, Any]) -> dict[str, Any]:
    """The content of a tokenizer.json with the merges of all tokens of two letters.

    The published file of the multilingual Whisper lacks the first merge, of space and t, so that a word with t becomes
    other tokens than those that the recogniser writes.
    """
    model = tokenizer["model"]
    ids, merges = model["vocab"], list(model["merges"])
    pairs = [tuple(one.split(" ") if isinstance(one, str) else one) for one in merges]
    made = [ids["".join(pair)] for pair in pairs]
    known = set(pairs)
    lost = [name for name in ids if len(name) == 2 and tuple(name) not in known and set(name) <= ids.keys()]
    for name in sorted(lost, key=ids.get):
        place = sum(id < ids[name] for id in made)
        made.insert(place, ids[name])
        merges.insert(place, " ".join(name) if merges and isinstance(merges[0], str) else list(name))
    return {**tokenizer, "model": {**model, "merges": merges}}


def read_special(tokenizer: dict[str, Any], settings: dict[str, Any], size: int) -> Special:
    """Special tokens by their names in Whisper's tokenizer, else by the settings of the model."""
    ids = {token["content"]: int(token["id"]) for token in tokenizer.get("added_tokens") or []}
    ids = {**tokenizer["model"]["vocab"], **ids}
    lists = {
        "suppressed": settings.get("suppress_tokens") or (),
        "suppressed_first": settings.get("begin_suppress_tokens") or (),
        "alignment_heads": settings.get("alignment_heads") or (),
    }
    if START not in ids:
        start, end = settings.get("decoder_start_token_id", 1), settings.get("eos_token_id", 2)
        return checked_special({"size": size, "start": start, "end": end[0] if isinstance(end, list) else end, **lists})
    multilingual = settings.get("is_multilingual", size >= SHORTEST_MULTILINGUAL)
    first, last = ids[START] + 1, min(ids[f"<|{task}|>"] for task in TASKS)
    between = {name[2:-2]: id for name, id in ids.items() if first <= id < last} if multilingual else {}
    times = ids[ALL_TEXT] + 1
    return checked_special(
        {
            "size": size,
            "start": ids[START],
            "end": ids[END],
            "before": ids.get(BEFORE),
            "no_speech": next((ids[name] for name in NO_SPEECH if name in ids), None),
            "no_timestamps": ids[ALL_TEXT],
            "timestamps": times if times < size else None,
            "languages": between,
            "tasks": {task: ids[f"<|{task}|>"] for task in TASKS} if multilingual else {},
            **lists,
        }
    )


def checked_special(given: dict[str, Any]) -> Special:
    """Raises ValueError, TypeError or KeyError for values of the wrong kind and ids outside the vocabulary."""
    found = {field.name: given.get(field.name) for field in fields(Special)}
    size = found["size"]
    for name in ("languages", "tasks"):
        found[name] = {str(key): _id(id, size) for key, id in dict(found[name] or {}).items()}
    if found["languages"] and not found["tasks"].keys() >= set(TASKS):
        raise ValueError(f"languages, but not the tasks {' and '.join(TASKS)}")
    for name in ("suppressed", "suppressed_first"):
        found[name] = tuple(_id(id, size) for id in found[name] or ())
    found["alignment_heads"] = tuple((int(layer), int(head)) for layer, head in found["alignment_heads"] or ())
    for name in ("before", "no_speech", "no_timestamps", "timestamps"):
        found[name] = None if found[name] is None else _id(found[name], size)
    for name in ("start", "end"):
        found[name] = _id(found[name], size)
    return Special(**found)


def _id(value: Any, size: int) -> int:
    if type(value) is not int or type(size) is not int or not 0 <= value < size:
        raise ValueError(f"{value!r} is not a token id below {size!r}")
    return value
