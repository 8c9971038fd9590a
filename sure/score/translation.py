"""BLEU and chrF of translations by sacrebleu, with its signatures, which name all settings (arXiv 1804.08771)."""

from collections.abc import Mapping
from typing import Any

from sacrebleu.metrics import BLEU, CHRF

from sure.errors import SureError

SAMPLES = 1000  # of the bootstrap; sacrebleu draws them with a fixed seed


def translation_scores(references: Mapping[str, str], hypotheses: Mapping[str, str]) -> dict[str, Any]:
    """BLEU and chrF with 95 % intervals and signatures; texts by utterance id, the same ids on both sides.

    Texts count as they are written, with case and punctuation. Raises SureError if all references are empty.
    """
    if not any(references.values()):
        raise SureError("all references are empty, so BLEU is not defined; check the file `text` of the set")
    texts = [hypotheses[id] for id in references], [list(references.values())]
    scores: dict[str, Any] = {"signatures": {}}
    for name, metric in (("bleu", BLEU()), ("chrf", CHRF())):
        found = metric.corpus_score(*texts)
        scores[name] = float(found.score)
        if len(references) > 1:
            sampled = metric.corpus_score(*texts, n_bootstrap=SAMPLES)
            middle, half = float(sampled._mean), float(sampled._ci)
            scores[f"{name}_interval"] = [max(0.0, middle - half), min(100.0, middle + half)]
        else:
            scores[f"{name}_interval"] = [scores[name], scores[name]]
        scores["signatures"][name] = str(metric.get_signature())
    return scores
