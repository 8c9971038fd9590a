# shellcheck shell=bash
# Stages 1 to 3, and what all kinds of task share. Before it sources a pipeline, a recipe sets
#   task, dataset     conf/<task>.yaml; the name in data/ and at the start of the experiment folders, e.g. asr_es
#   prepare_options   key=value words for prepare() of prepare.py (default: none)
#   sources           the file, where an option chooses between sources*.yaml (default: sources.yaml)
#   source_options    key=value words for its placeholders (default: none)
#   test_sets         names of the test sets (default: test)
# and the pipeline sets
#   target            the file of a data folder that holds the targets
#   overrides         of the config
#   token_inputs      files that stage 3 also reads (default: none)
#   train_tables      tables of a data folder that training also reads, if they exist (default: none)
#   decode_methods    values of --decode (default: greedy)
# A function after_prepare, if the pipeline has one, ends stage 2.

data=data/$dataset
[[ -v prepare_options ]] || prepare_options=()
[[ -v sources ]] || sources=sources.yaml
[[ -v source_options ]] || source_options=()
[[ -v test_sets ]] || test_sets=(test)
[[ -v token_inputs ]] || token_inputs=()
[[ -v train_tables ]] || train_tables=()
[[ -v decode_methods ]] || decode_methods=(greedy)
check_options

# corpus_mark SOURCE_OPTION...: prints the name of the mark of a corpus: corpus_v0.01, corpus_en_us.
corpus_mark() {
  local name=${sources/#sources/corpus}
  printf '%s' "${name%.yaml}" "${@/#*=/_}"
}
corpus_step=$(corpus_mark "${source_options[@]}")

# A corpus given once is remembered in downloads/corpus.txt; --corpus= forgets it.
if [[ ! -v option_given[corpus] && -f downloads/corpus.txt ]]; then corpus=$(<downloads/corpus.txt); fi
# A dataset, hf://..., is copied into downloads/corpus, and remembered with its columns.
hub_dataset=""
if [[ $corpus == hf://* ]]; then
  [[ -v columns ]] || usage_error "--corpus $corpus: this recipe reads a folder; copy egs/TEMPLATE for a dataset"
  if [[ -v option_given[corpus] ]]; then hub_dataset=$corpus; else IFS=$'\t' read -r hub_dataset columns <<<"$corpus"; fi
  corpus="" extras+=,datasets
  if [[ $hub_dataset == hf://.* ]]; then hub_dataset=hf://$caller/${hub_dataset#hf://}; fi
fi
corpus=$(from_caller "$corpus")
if [[ -d $corpus ]]; then corpus=$(cd "$corpus" && pwd -P); fi

tests=$(printf ',%s' "${test_sets[@]/#/$data/}")
overrides+=(data.train="$data/train" data.valid="$data/dev" data.tests="[${tests:1}]" tokenizer.folder="$data/tokens")

stage_download() {
  local other
  download_corpus "${source_options[@]}"
  for other in "${other_languages[@]}"; do
    eval "$other"
    if ((${#other_sources[@]})); then download_corpus "${other_sources[@]}"; fi
  done
  if [[ $weights_from == download ]]; then
    here=true outputs=("$weights")
    step downloads backbone python "$root/tools/fetch_backbone.py" "$(basename "$weights" .safetensors)" --out downloads
  fi
}

# download_corpus SOURCE_OPTION...
download_corpus() {
  here=true inputs=("$sources") outputs=("${corpus:-downloads/corpus}")
  step downloads "$(corpus_mark "$@")" python -m sure.bin.download --sources "$sources" --out downloads \
    ${corpus:+--corpus "$corpus"} ${hub_dataset:+--corpus "$hub_dataset"} ${columns:+--columns "$columns"} "$@"
}

stage_prepare() {
  local other
  prepare_dataset "$dataset" "$corpus_step" "${prepare_options[@]}"
  for other in "${other_languages[@]}"; do
    eval "$other"
    prepare_dataset "$other_dataset" "$(corpus_mark "${other_sources[@]}")" "${other_prepare[@]}"
  done
  if declare -F after_prepare >/dev/null; then after_prepare; fi
}

# prepare_dataset DATASET CORPUS_MARK OPTION...: the data folders of a dataset, with these options of prepare.py.
prepare_dataset() {
  local folder=data/$1
  local -a allow=() limit=()
  if [[ $allow_commands == true ]]; then allow=(--allow_commands true); fi
  if [[ -v option_given[max_bad_percent] ]]; then limit=(--max_bad_percent "$max_bad_percent"); fi
  mapfile -t inputs < <(find . \( -path ./conf -o -path ./downloads -o -path ./data -o -path ./exp -o -name '.?*' \
    -o -name __pycache__ \) -prune -o -type f -not -name README.md -not -name run.sh -print | LC_ALL=C sort)
  inputs+=("downloads/.marks/$2") input_folders=("${corpus:-downloads/corpus}")
  mapfile -t input_sets < <(compgen -G "$folder/*/wav.scp"); input_sets=("${input_sets[@]%/wav.scp}")
  outputs=("${test_sets[@]/%//wav.scp}") outputs=("$folder"/{train,dev}/wav.scp "${outputs[@]/#/$folder/}")
  step data "$1.prepare" python -m sure.bin.prepare --recipe . --corpus "${corpus:-downloads/corpus}" --out "$folder" \
    --on_bad_utterance "$on_bad_utterance" "${limit[@]}" "${allow[@]}" "${@:3}"
}

stage_tokenize() {
  local part
  inputs=("conf/$task.yaml" "$data/train/$target" "${token_inputs[@]}") outputs=("$data/tokens")
  input_tables=("$data/train/utt2lang")
  for part in dev "${test_sets[@]}"; do
    if [[ -f $data/$part/$target ]]; then inputs+=("$data/$part/$target"); fi
    input_tables+=("$data/$part/utt2lang")
  done
  if [[ ${pipeline-} == recognizer ]]; then
    if [[ -d $weights ]]; then input_folders=("$weights"); elif [[ -f $weights ]]; then inputs+=("$weights"); fi
  fi
  step data "$dataset.tokenize" python -m sure.bin.tokenize --config "conf/$task.yaml" "${overrides[@]}" "${token_settings[@]}"
}

. "$root/utils/pipelines/plan.sh"
. "$root/utils/pipelines/experiments.sh"
. "$root/utils/pipelines/show.sh"
