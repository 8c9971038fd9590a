# shellcheck shell=bash
# What all kinds of task share: checks, the overrides of the config, and stages 1 to 3.
# Before it sources a pipeline, a recipe sets
#   task, dataset     conf/<task>.yaml; the name in data/ and at the start of the experiment folders, e.g. asr_es
#   prepare_options   key=value words for prepare() of prepare.py (default: none)
#   sources           the file, where an option chooses between sources*.yaml (default: sources.yaml)
#   source_options    key=value words for its placeholders (default: none)
#   test_sets         names of the test sets (default: test)
# and the pipeline sets target, the file of a data folder that is learned, overrides of the config, token_inputs,
# what stage 3 reads besides (default: nothing), decode_methods, what --decode may have (default: greedy), and
# more_configs, files behind conf/<task>.yaml (default: none); its function after_prepare, if there is one, ends stage 2.

data=data/$dataset
[[ -v prepare_options ]] || prepare_options=()
[[ -v sources ]] || sources=sources.yaml
[[ -v source_options ]] || source_options=()
corpus_step=${sources/#sources/corpus}  # each has a mark of its own: corpus_v0.01, corpus_en_us
corpus_step=${corpus_step%.yaml}$(printf '%s' "${source_options[@]/#*=/_}")
[[ -v test_sets ]] || test_sets=(test)
[[ -v token_inputs ]] || token_inputs=()
[[ -v decode_methods ]] || decode_methods=(greedy)
[[ -v more_configs ]] || more_configs=()
read -ra methods <<<"$petl"        # as the folders are named: lora, lora+prefix
read -ra parts <<<"${petl//+/ }"
check_options
[[ $dataset =~ ^[A-Za-z0-9._+-]+$ ]] || usage_error "'$dataset' would be the name of folders: letters, digits and . _ + - only"
[[ -f conf/$task.yaml ]] || usage_error "no conf/$task.yaml in $recipe, which task $task needs"
((${#methods[@]})) || usage_error "--petl names no method"
for method in "${parts[@]}"; do
  [[ -f $root/sure/petl/$method.py ]] || usage_error "no method '$method' in sure/petl; there are: $(
    cd "$root/sure/petl" && grep -l '^class Method' ./*.py | sed 's|^\./\(.*\)\.py$|\1|' | paste -sd ' ')"
done

# A corpus given once is remembered in downloads/corpus.txt; --corpus= forgets it.
if [[ ! -v option_given[corpus] && -f downloads/corpus.txt ]]; then corpus=$(<downloads/corpus.txt); fi
corpus=$(from_caller "$corpus")
if [[ -d $corpus ]]; then corpus=$(cd "$corpus" && pwd -P); fi
variant=${tag:+_$tag}
if [[ $weights == random || $weights == random:* ]]; then
  variant=_random$variant
elif [[ ! -e $weights ]]; then
  weights=$(from_caller "$weights")
fi

if [[ $backbone != moonshine && $weights == "${option_default[weights]}" && $weights == *moonshine* ]]; then
  usage_error "--backbone $backbone needs --weights: a file, a Hugging Face folder, a bundle of torchaudio or random"
fi

tests=$(printf ',%s' "${test_sets[@]/#/$data/}")
overrides+=(data.train="$data/train" data.valid="$data/dev" data.tests="[${tests:1}]" tokenizer.folder="$data/tokens")

# Of --set. A word without = belongs to the value before it: site patterns have spaces.
settings=() token_settings=() decode_settings=() decode_name=beam
read -ra words <<<"$set"
for word in "${words[@]}"; do
  if [[ $word == [a-z]*=* ]]; then settings+=("$word")
  elif ((${#settings[@]})); then settings[-1]+=" $word"
  else usage_error "--set takes key=value words such as train.epochs=3, not '$word'"; fi
done
# What is about stage 5 alone is not for the training, which would be redone.
words=("${settings[@]}") settings=()
for word in "${words[@]}"; do
  case $word in
    petl=* | petl.name=*) usage_error "--set $word: say --petl NAMES; a list with settings is conf/petl/NAMES.yaml" ;;
    decode.method=*) usage_error "--set $word: say --decode ${word#*=}" ;;
    decode.batch_seconds=*) settings+=("$word") decode_settings+=("$word") ;;
    decode.ngram=* | decode.lexicon=* | decode.vocoder=*) decode_settings+=("${word%%=*}=$(from_caller "${word#*=}")") ;;
    decode.*) decode_settings+=("$word") ;;
    *) settings+=("$word") ;;
  esac
  if [[ $word == decode.name=* ]]; then decode_name=${word#*=}; fi
  if [[ $word =~ ^(data|text|tokenizer)\. ]]; then token_settings+=("$word"); fi
done
if [[ $on_bad_utterance == skip ]]; then settings=(data.on_bad_utterance=skip "${settings[@]}"); fi
read -ra decodings <<<"$decode"
((${#decodings[@]})) || usage_error "--decode names no way of decoding; there are: ${decode_methods[*]}"
for word in "${decodings[@]}"; do
  [[ " ${decode_methods[*]} " == *" $word "* ]] \
    || usage_error "--decode '$word' is not known to task $task; there are: ${decode_methods[*]}"
done

stage_download() {
  here=true inputs=("$sources") outputs=("${corpus:-downloads/corpus}")
  step downloads "$corpus_step" python -m sure.bin.download --sources "$sources" --out downloads \
    ${corpus:+--corpus "$corpus"} "${source_options[@]}"
  if [[ $weights == downloads/*.safetensors ]]; then
    here=true outputs=("$weights")
    step downloads backbone python "$root/tools/fetch_backbone.py" "$(basename "$weights" .safetensors)" --out downloads
  fi
}

stage_prepare() {
  local -a allow=() limit=()
  if [[ $allow_commands == true ]]; then allow=(--allow_commands true); fi
  if [[ -v option_given[max_bad_percent] ]]; then limit=(--max_bad_percent "$max_bad_percent"); fi
  mapfile -t inputs < <(find . \( -path ./conf -o -path ./downloads -o -path ./data -o -path ./exp -o -name '.?*' \
    -o -name __pycache__ \) -prune -o -type f -not -name README.md -not -name run.sh -print | LC_ALL=C sort)
  inputs+=("downloads/.marks/$corpus_step")
  outputs=("${test_sets[@]/%//wav.scp}") outputs=("$data"/{train,dev}/wav.scp "${outputs[@]/#/$data/}")
  step data "$dataset.prepare" python -m sure.bin.prepare --recipe . --corpus "${corpus:-downloads/corpus}" --out "$data" \
    --on_bad_utterance "$on_bad_utterance" "${limit[@]}" "${allow[@]}" "${prepare_options[@]}"
  if declare -F after_prepare >/dev/null; then after_prepare; fi
}

stage_tokenize() {
  inputs=("conf/$task.yaml" "$data/train/$target" "${token_inputs[@]}") outputs=("$data/tokens")
  step data "$dataset.tokenize" python -m sure.bin.tokenize --config "conf/$task.yaml" "${overrides[@]}" "${token_settings[@]}"
}

. "$root/utils/pipelines/experiments.sh"
. "$root/utils/pipelines/show.sh"
