# shellcheck shell=bash
# Speech synthesis: stage 2 ends with the features of all sets, stage 3 with the phones of their texts; stage 4 trains a model
# from random weights, or adapts a trained one. The recipe sets the variables of common.sh, and
#   lang          the language of the texts, where data folders have no utt2lang
#   phones        cmudict or espeak (default: cmudict for English)
#   lexicon       a pronunciation lexicon of the user that is searched first (default: none)
#   pretraining   words of another call of a recipe, run.sh first, whose model is adapted (default: none)
#   pretrained    the dataset's name in that call
# Stages 1 to 4 first run those of the pretraining, skipping finished ones; its output is indented.
pipeline=synthesis target=phones train_tables=(utt2spk durations spk2embedding.scp)
[[ -v pretraining ]] || pretraining=()
[[ -v phones ]] || phones=""
overrides=(text.language="$lang")
if [[ -n $phones ]]; then overrides+=(text.phones="$phones"); fi
lexicon=$(from_caller "${lexicon:-}")
if [[ -n $lexicon ]]; then overrides+=(tokenizer.lexicon="$lexicon"); fi
if [[ $lang == en && $phones != espeak ]]; then extras+=,judges,tts; else extras+=,espeak,judges,tts; fi
if ((${#pretraining[@]})); then
  pretrained_in=$(dirname "${pretraining[0]}")
  if [[ $pretrained_in == "$recipe" ]]; then pretrained_in=""; fi
fi
. "$root/utils/pipelines/common.sh"

# before_stage NAME: runs the pretraining up to that stage, with the options of this call that concern the machine.
before_stage() {
  local option
  local -a words=()
  if [[ $weights_from != pretraining || ! $1 =~ ^(download|prepare|tokenize|train)$ ]]; then return; fi
  words=("${pretraining[@]}" --stop_stage "$1" --shape "$shape" --dry_run "$dry_run" ${pretrain_set:+--set "$pretrain_set"})
  for option in launch gpus partition mem time on_bad_utterance max_bad_percent; do
    if [[ -v option_given[$option] ]]; then words+=("--$option" "${!option}"); fi
  done
  step_name="pretraining ($pretrained)" step_command=$(quoted bash "${words[@]}")
  bash "${words[@]}" | sed -u 's/^/  | /'
  clear_step
}

after_prepare() {
  local part threads=${cluster_threads:-$((($(nproc) + nj - 1) / nj))}
  if [[ -v option_given[nj] ]]; then threads=$nj; fi
  for part in train dev "${test_sets[@]}"; do
    inputs+=("$data/$part/wav.scp") input_tables+=("$data/$part"/{segments,recordings.sha256})
    outputs+=("$data/$part"/{mel,pitch,energy}.scp "$data/$part/utt2frames")
  done
  inputs+=("conf/$task.yaml") outputs+=("$data/statistics.json")
  resources=(--threads "$threads")
  step data "$dataset.features" python -m sure.bin.features --config "conf/$task.yaml" \
    --on_bad_utterance "$on_bad_utterance" "${overrides[@]}" "${acoustic_settings[@]}"
}

stage_tokenize() {
  local part
  for part in train dev "${test_sets[@]}"; do
    inputs+=("$data/$part/text" "$data/$part/utt2frames") outputs+=("$data/$part/phones")
    if [[ -f $data/$part/utt2lang ]]; then inputs+=("$data/$part/utt2lang"); fi
  done
  inputs+=("conf/$task.yaml" "$data/statistics.json" ${like:+"$like/phones.txt"} ${lexicon:+"$lexicon"}) outputs+=("$data/tokens")
  step data "$dataset.tokenize" python -m sure.bin.phonemize --config "conf/$task.yaml" ${like:+--like "$like"} \
    --on_bad_utterance "$on_bad_utterance" "${overrides[@]}" "${token_settings[@]}"
}

# The speech of a vocoder that --set names goes into decode_<set>_<name>, next to that of the config's in decode_<set>.
decode_experiment() {
  local part
  choose_experiment "$1"
  eval "${decodings[0]}"
  inputs=("$exp/config.yaml" "$exp/best.safetensors" "${decode_files[@]}") outputs=()
  for part in "${test_sets[@]}"; do
    inputs+=("$data/$part/phones" "$data/$part/mel.scp") input_tables+=("$data/$part"/{utt2spk,recordings.sha256})
    outputs+=("$exp/decode_$part$ending"/{wav.scp,decoding.json})
  done
  step "$exp" "decode$ending" python -m sure.bin.decode --exp "$exp" "${decode_words[@]}"
}

score_experiment() {
  local part
  choose_experiment "$1"
  eval "${decodings[0]}"
  inputs=("$exp/summary.json") outputs=()
  mapfile -t -O 1 inputs < <(compgen -G "$exp/decode_*/wav.scp"; compgen -G "$exp/decode_*/decoding.json")
  for part in "${test_sets[@]}"; do
    outputs+=("$exp/decode_$part$ending/result.json") input_tables+=("$data/$part"/{segments,recordings.sha256,text})
  done
  step "$exp" score python -m sure.bin.score --exp "$exp"
}
