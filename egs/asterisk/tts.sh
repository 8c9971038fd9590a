# shellcheck shell=bash
# Task tts: the speaker, the language, and the data of the pretraining.
one_of pretrain "" others
if [[ $minutes != all && ! $minutes =~ ^[0-9]+(\.[0-9]+)?$ ]]; then usage_error "--minutes takes all or a number, not '$minutes'"; fi
others=""
for speaker in allison june carlo ivrvoice; do
  if [[ +$voice+ != *+$speaker+* ]]; then others+=+$speaker; fi
done
case $voice in
  allison) lang=en ;;
  june) lang=fr ;;
  carlo) lang=it ;;
  ivrvoice) lang=ru ;;
  *+*) lang=en phones=espeak ;;  # one alphabet for all languages
  *) usage_error "--voice: unknown value '$voice'; expected allison, june, carlo, ivrvoice, or several of them joined by +" ;;
esac
dataset=tts_$voice
if [[ $minutes != all ]]; then dataset+=_${minutes}min; fi
if [[ $pretrain == others ]]; then
  dataset+=_from_others phones=espeak pretrained=tts_${others:1}
  pretraining=("$recipe/run.sh" --task tts --voice "${others:1}")
  if [[ -v option_given[corpus] ]]; then pretraining+=(--corpus "$(from_caller "$corpus")"); fi
fi
prepare_options+=(voice="$voice" minutes="$minutes")
. "$root/utils/pipelines/tts.sh"
