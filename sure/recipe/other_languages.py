"""The option --also: test sets of other languages, which show what a recogniser has forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass

from sure.errors import SureError
from sure.recipe.names import set_name
from sure.recipe.options import read_words

UNTOUCHED = "linear_probe"  # the method that gives the scores of a recogniser as it is


@dataclass
class OtherLanguage:
    """Variables for the shell: the dataset of another language, as its own call of run.sh makes it."""

    other_dataset: str
    other_prepare: list[str]  # options of prepare.py
    other_sources: list[str]  # of stage 1; empty where the corpus has all languages
    other_set: str  # the data folder that is decoded
    other_name: str  # of this set, in the experiment folder


def other_languages(
    also: str, language: str, dataset: str, prepare: Sequence[str], sources: Sequence[str], task: str
) -> list[OtherLanguage]:
    """The languages of --also. language, dataset, prepare, sources: of the call itself.

    Raises SureError for a task without a decoder, a recipe of one language, and the language of the call.
    """
    found = []
    for other in read_words("also", also, 'languages such as "en fr"'):
        if task not in ("transcription", "translation"):
            raise SureError(f"--also {other}: only whole recognisers know other languages; pass --head decoder")
        if f"lang={language}" not in prepare or not dataset.endswith(f"_{language}"):
            raise SureError(f"--also {other}: this recipe prepares no data by language; leave --also out")
        if other == language:
            raise SureError(f"--also {other}: this is the language of the training; name others")
        name = f"{dataset.removesuffix(language)}{other}"
        data = f"data/{name}/test"
        words = [[word if word != f"lang={language}" else f"lang={other}" for word in of] for of in (prepare, sources)]
        found.append(OtherLanguage(name, *words, data, set_name(data, {})))
    return found
