"""Use a bundle: one line for each audio file, with the file, a tab, and the transcript, label or other output.

A folder stands for the audio files in it; - for a recording from stdin; --list names a file with one path on each line.
Recognisers with their own decoder, such as Whisper, also take --language, --timestamps (a line for each segment),
--beam, and --format srt, vtt or json (json also has the other hypotheses of a beam search).
With --timings there is a line for each word: file, start and duration in seconds, word, confidence (mean probability).
For speaker verification, the output is the cosine of each file's speaker embedding and that of the first file.
For speech synthesis, pass --text "..." --out a.wav, and optionally --speaker, --speed, --pitch and --energy.
"""

import sys
from argparse import ArgumentParser

from sure.bin._parser import add_json, new_parser
from sure.errors import run

PROG = "python -m sure.bin.infer"


def make_parser(prog: str = PROG) -> ArgumentParser:
    parser = new_parser(prog, __doc__, "BUNDLE recordings/ --json", "BUNDLE --list files.txt")
    parser.add_argument("bundle", metavar="BUNDLE", help="folder, such as exp/NAME/seed1/bundle, or a name on the Hub")
    parser.add_argument("files", nargs="*", metavar="FILE", help="audio of any format and rate; a folder; - for stdin")
    parser.add_argument("--list", metavar="FILE", help="text file with a path on each line; - for stdin")
    synthesis = parser.add_argument_group("speech synthesis")
    synthesis.add_argument("--text", help="the text to synthesise")
    synthesis.add_argument("--out", metavar="WAV", help="output file, 16 bit")
    synthesis.add_argument("--speaker", metavar="NAME", help="a training speaker; not needed if there is only one")
    synthesis.add_argument("--embedding", metavar="NPY", help="speaker embedding, for models trained with embeddings")
    for name, more in (("speed", "faster"), ("pitch", "higher"), ("energy", "louder")):
        synthesis.add_argument(f"--{name}", type=float, metavar="FACTOR", help=f"above 1: {more}; default: 1")
    synthesis.add_argument("--vocoder", metavar="NAME", help="griffin_lim, or a HiFi-GAN generator's checkpoint")
    synthesis.add_argument("--language", metavar="CODE", help="of --text; for recognisers with a decoder, of the audio")
    recognition = parser.add_argument_group("recognisers with their own decoder, such as Whisper")
    recognition.add_argument(
        "--timestamps", action="store_true", help="a line for each segment: file, start, end, text"
    )
    recognition.add_argument("--format", choices=("srt", "vtt", "json"), help="subtitles of one file; or JSON")
    recognition.add_argument("--beam", type=int, metavar="N", help="number of hypotheses in the search; 1: greedy")
    parser.add_argument("--backbone", metavar="PATH", help="weights of the backbone; default: the path in the bundle")
    parser.add_argument("--precision", metavar="FORMAT", default="fp32",
                        help="bf16 or int8: faster or smaller; default: %(default)s")  # fmt: skip
    parser.add_argument("--merge", action="store_true", help="fold the adapter into the weights of the backbone first")
    parser.add_argument("--timings", action="store_true", help="times of words, for CTC and recognisers with a decoder")
    parser.add_argument("--device", default="auto", help="such as cpu or cuda; default: %(default)s")
    add_json(parser, "a line for each file")
    return parser


def main(argv: list[str] | None = None, prog: str = PROG) -> None:
    options = vars(make_parser(prog).parse_intermixed_args(argv))
    from sure.data.audio_files import audio_files, listed_files  # these import torch, which takes seconds
    from sure.inference import Sure
    from sure.models.build import kind_of

    files, listed = options.pop("files"), options.pop("list")
    files = audio_files([*files, *(listed_files(listed) if listed else [])])
    bundle, backbone, device = (options.pop(name) for name in ("bundle", "backbone", "device"))
    sure = Sure.load(bundle, backbone, device, precision=options.pop("precision"))
    if options.pop("merge"):
        sure.merge()
    given = {name: value for name, value in options.items() if value not in (None, False)}
    if kind_of(sure.configs[sure.name]).infer(sure, files, given):
        sys.exit(1)


if __name__ == "__main__":
    run(main)
