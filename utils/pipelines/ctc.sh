# shellcheck shell=bash
# Transcription by the recogniser's own decoder (recognizer.sh) where --head asks for it, else by CTC: stage 3 learns
# the tokens from `text` of the training set. The recipe sets the variables of common.sh, and
#   lang              the language of the rules that normalise the text
#   lexicon           for task phoneme: the pronunciation lexicon (default: none, `text` contains phones)
if [[ $task == asr ]]; then
  if [[ -z $head && $backbone == whisper ]]; then head=decoder; fi
  one_of head "" decoder ctc
  if [[ $head == decoder ]]; then
    task=transcription dataset=${dataset/#asr/transcription}
    . "$root/utils/pipelines/recognizer.sh"
    return
  fi
fi
target=text
overrides=(text.language="$lang") decode_methods=(greedy beam)
if [[ -n ${lexicon:-} ]]; then
  lexicon=$(from_caller "$lexicon")
  overrides+=(tokenizer.lexicon="$lexicon") token_inputs=("$lexicon")
fi
. "$root/utils/pipelines/common.sh"
