# shellcheck shell=bash
# Speech synthesis: stage 2 ends with the features of all sets, stage 3 with the phones of their texts; stage 4 trains a model
# from nothing, or adapts one that was trained before. The recipe sets what common.sh asks for, and
#   lang          the language of the texts, where data folders have no utt2lang
#   phones        cmudict or espeak (default: cmudict for English)
#   lexicon       the user's, asked first (default: none)
#   pretraining   words of another call of a recipe, run.sh first, whose model is adapted (default: none: from nothing)
#   pretrained    what that call names its dataset
# Stages 1 to 4 run those of the pretraining first, skipping what is finished; its output is indented.
target=phones
[[ -v pretraining ]] || pretraining=()
[[ -v phones ]] || phones=""
overrides=(text.language="$lang") like=""
if [[ -n $phones ]]; then overrides+=(text.phones="$phones"); fi
lexicon=$(from_caller "${lexicon:-}")
if [[ -n $lexicon ]]; then overrides+=(tokenizer.lexicon="$lexicon"); fi
if [[ $lang == en && $phones != espeak ]]; then extras+=,judges,tts; else extras+=,espeak,judges,tts; fi
if [[ ! -v option_given[backbone] ]]; then backbone=fastspeech2; fi
if [[ -v option_given[weights] ]]; then
  pretraining=()
elif ((${#pretraining[@]})); then
  weights=$(dirname "${pretraining[0]}")
  if [[ $weights == "$recipe" ]]; then weights=.; fi
  like=$weights/data/$pretrained/tokens weights=$weights/exp/${pretrained}_${backbone}_full/seed1/backbone.safetensors
  like=${like#./} weights=${weights#./}
else
  weights=random:$shape
  if [[ ! -v option_given[petl] ]]; then petl=full; fi
fi
given_weights=$weights
. "$root/utils/pipelines/common.sh"
if [[ $given_weights == "random:$shape" ]]; then
  variant=${tag:+_$tag}  # it is no control, but where all begins
else
  more_configs=("conf/adaptation/$task.yaml")  # where the recipe has it
fi

# before_stage NAME: the pretraining up to that stage. Its options are those of its own recipe and of this machine.
before_stage() {
  local option
  local -a words=()
  if ((${#pretraining[@]} == 0)) || [[ ! $1 =~ ^(download|prepare|tokenize|train)$ ]]; then return; fi
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
    inputs+=("$data/$part/wav.scp")
    outputs+=("$data/$part"/{mel,pitch,energy}.scp "$data/$part/utt2frames")
  done
  inputs+=("conf/$task.yaml") outputs+=("$data/statistics.json")
  resources=(--threads "$threads")
  step data "$dataset.features" python -m sure.bin.features --config "conf/$task.yaml" "${overrides[@]}" "${acoustic_settings[@]}"
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

# What a vocoder of this call says goes into decode_<set>_<name>, beside that of the config's in decode_<set>.
decode_experiment() {
  local part
  choose_experiment "$1"
  inputs=("$exp/config.yaml" "$exp/best.safetensors" ${vocoder:+"$vocoder"}) outputs=()
  for part in "${test_sets[@]}"; do
    inputs+=("$data/$part/phones" "$data/$part/mel.scp")
    outputs+=("$exp/decode_$part$ending"/{wav.scp,decoding.json})
  done
  step "$exp" "decode$ending" python -m sure.bin.decode --exp "$exp" "${decode_settings[@]}"
}

score_experiment() {
  local part
  choose_experiment "$1"
  inputs=("$exp/summary.json") outputs=()
  mapfile -t -O 1 inputs < <(compgen -G "$exp/decode_*/wav.scp"; compgen -G "$exp/decode_*/decoding.json")
  for part in "${test_sets[@]}"; do outputs+=("$exp/decode_$part$ending/result.json"); done
  step "$exp" score python -m sure.bin.score --exp "$exp"
}

# Without decode.name a vocoder has that of its file.
vocoder="" ending=""
for word in "${decode_settings[@]}"; do
  if [[ $word == decode.vocoder=* && -f ${word#*=} ]]; then vocoder=${word#*=}; fi
done
if [[ -n $vocoder && $decode_name == beam ]]; then
  decode_name=$(basename "$vocoder")
  decode_name=${decode_name%.*} decode_name=${decode_name//[^A-Za-z0-9._-]/-}
  decode_settings+=(decode.name="$decode_name")
fi
if [[ $decode_name != beam ]]; then ending=_$decode_name; fi

acoustic_settings=()
for word in "${settings[@]}"; do
  if [[ $word =~ ^(acoustic|data)\. ]]; then acoustic_settings+=("$word"); fi
done
