#!/usr/bin/env bash
# VoxPopuli: speeches in the European Parliament with transcripts in 16 languages. Speech recognition in one of them.
#
#   ./run.sh --lang de --corpus DIR
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task asr "asr"
option lang en "a language with transcripts: en de fr es pl it ro hu cs nl fi hr sk sl et lt"
parse_options "$@"
one_of task asr
one_of lang en de fr es pl it ro hu cs nl "fi" hr sk sl et lt

dataset=asr_$lang
source_options=(lang="$lang")
prepare_options=(lang="$lang")
. "$root/utils/pipelines/ctc.sh"
run_stages
