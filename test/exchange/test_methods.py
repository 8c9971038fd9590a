"""Every method is exported to either library with the same outputs, or refused by its name."""

import pytest
import transformers
from pairs import METHODS, check_equal, encoded, exported, ours, pair, written

from sure.errors import SureError
from sure.exchange.to_peft import peft_files
from sure.exchange.to_transformers import transformers_files


def to_peft(model, theirs, folder):
    return exported(model, theirs, folder)[1]


def to_transformers(model, theirs, folder):
    return transformers.AutoModel.from_pretrained(written(folder / "out", transformers_files(model)[0])).eval()


EXPORTS = [(to_peft, family) for family in ("wav2vec2", "wavlm", "moonshine")]
EXPORTS += [(to_transformers, family) for family in ("wav2vec2", "moonshine", "whisper")]


@pytest.mark.parametrize(("export", "family"), EXPORTS)
@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_exported_right_or_refused(tmp_path, name, export, family):
    model, theirs = pair(tmp_path, family, "base", METHODS[name])
    wanted = ours(model)
    try:
        found = export(model, theirs, tmp_path)
    except SureError as error:
        assert name in str(error)
    else:
        check_equal(wanted, encoded(found))


UNMERGED = r"can be exported: .*lora"
LORA, DORA = {"name": "lora", "sites": "layer.0.attn.q"}, {"name": "dora", "sites": "layer.0.attn.k"}
REFUSED = {
    "bottleneck to peft": ("wav2vec2", "bottleneck", peft_files, "bottleneck.*layer.0.after_ffn.*lora, dora or ia3"),
    "prefix to peft": ("wav2vec2", "prefix", peft_files, "prefix.*layer.0.attn"),
    "ssf to peft": ("wav2vec2", "ssf", peft_files, "ssf.*no form in PEFT"),
    "bitfit to peft": ("wav2vec2", "bitfit", peft_files, "layer.0.attn.q/bitfit/bias.*--to transformers"),
    "full to peft": ("wav2vec2", "full", peft_files, "backbone/full.*--to transformers"),
    "linear_probe to peft": ("wav2vec2", "linear_probe", peft_files, "linear_probe.*nothing"),
    "lora and dora": ("wav2vec2", [LORA, DORA], peft_files, "(dora and lora|lora and dora).*one PEFT folder"),
    "lora twice": ("wav2vec2", [LORA] * 2, peft_files, "two modules"),
    "lora and bottleneck": ("wav2vec2", ["lora", "bottleneck"], peft_files, "bottleneck"),
    "bottleneck": ("wav2vec2", ["lora", "bottleneck"], transformers_files, rf"petl \(bottleneck\).*{UNMERGED}"),
    "prefix": ("wav2vec2", "prefix", transformers_files, rf"petl \(prefix\).*{UNMERGED}"),
    "conv_adapter": ("wav2vec2", "conv_adapter", transformers_files, rf"petl \(conv_adapter\).*{UNMERGED}"),
    "added biases": (
        *("moonshine", {"name": "ssf", "sites": "layer.*.attn.q"}, transformers_files),
        r"does not have 3 tensors.*layers\.0\.attn\.q\.bias",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_methods_without_a_counterpart_are_named(tmp_path, name):
    family, petl, export, message = REFUSED[name]
    model, _ = pair(tmp_path, family, "base", petl)
    with pytest.raises(SureError, match=message):
        export(model, None) if export is peft_files else export(model)
