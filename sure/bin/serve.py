"""Serve bundles over HTTP: the paths of OpenAI's audio API, class scores and embeddings, and a page for the browser.

Each argument is a bundle with the name that requests use for it: NAME=BUNDLE; the default is the experiment's name. The
first argument may be the weights of the backbone. Bundles of one backbone share its memory and its batches.
Only this machine can reach the server (127.0.0.1). Any other --host needs a key, in a file (--key-file) or in the
environment variable SURE_SERVE_KEY.
"""

import os
from argparse import ArgumentParser
from pathlib import Path

from sure.bin._parser import new_parser
from sure.errors import SureError, run

PROG = "python -m sure.bin.serve"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
KEY = "SURE_SERVE_KEY"


def make_parser(prog: str = PROG) -> ArgumentParser:
    parser = new_parser(prog, __doc__, "spanish=exp/NAME/seed1/bundle french=exp/OTHER/seed1/bundle")
    parser.add_argument("bundles", nargs="*", metavar="NAME=BUNDLE", help="bundles; the first may be a backbone")
    parser.add_argument("--adapters", type=Path, metavar="FOLDER", help="folder of bundles that can be added later")
    parser.add_argument("--host", default=LOOPBACK[0], help="address to listen on; default: %(default)s")
    parser.add_argument("--port", type=int, default=8000, help="default: %(default)s")
    parser.add_argument("--key-file", type=Path, metavar="FILE", help="file with the key that requests have to send")
    parser.add_argument("--device", default="auto", help="such as cpu or cuda; default: %(default)s")
    limits = parser.add_argument_group("limits", "largest values that are accepted")
    limits.add_argument("--megabytes", type=float, default=25.0, metavar="N", help="of a request; default: %(default)g")
    limits.add_argument("--seconds", type=float, default=600, metavar="N", help="of a recording; default: %(default)g")
    limits.add_argument("--requests", type=int, default=256, metavar="N", help="at the same time; default: %(default)s")
    limits.add_argument("--upload-seconds", type=float, default=60.0, metavar="N",
                        help="to send a request, and to take its answer; default: %(default)g")  # fmt: skip
    limits.add_argument("--batch-seconds", type=float, default=120.0, metavar="N",
                        help="most audio that is computed together; default: %(default)g")  # fmt: skip
    limits.add_argument("--waiting-seconds", type=float, default=7200.0, metavar="N",
                        help="most audio that waits to be computed; default: %(default)g")  # fmt: skip
    return parser


def main(argv: list[str] | None = None, prog: str = PROG) -> None:
    options = vars(make_parser(prog).parse_args(argv))
    host, port, folder = options.pop("host"), options.pop("port"), options.pop("adapters")
    backbone, bundles = named_bundles(options.pop("bundles"))
    key = read_key(options.pop("key_file"))
    if host not in LOOPBACK and not key:
        raise SureError(f"--host {host} can be reached from other machines, which needs a key: --key-file, or {KEY}")
    if not bundles and folder is None:
        raise SureError("pass bundles, such as name=exp/asr_moonshine_lora/seed1/bundle, or --adapters FOLDER")
    if folder is not None and not folder.is_dir():
        raise SureError(f"--adapters {folder} is not a folder")
    for name, value in options.items():
        if not isinstance(value, str) and value <= 0:
            raise SureError(f"--{name.replace('_', '-')} {value:g}: expected more than 0")
    try:
        from sure.serve.run import serve  # imports torch, which takes seconds
        from sure.serve.settings import Settings
    except ModuleNotFoundError as error:
        if error.name in ("torch", "sure"):
            raise
        raise SureError(f"the server needs {error.name}: tools/install.sh --extras serve") from None
    hosts = {"hosts": ("*",)} if host not in LOOPBACK else {}
    serve(Settings(bundles, backbone, folder=folder, key=key, **hosts, **options), host, port)


def named_bundles(words: list[str]) -> tuple[str | None, dict[str, Path]]:
    """The backbone, where the first word names one, and the folders of bundles by name.

    Raises SureError for a name that is given twice, and for a word that is neither.
    """
    backbone, bundles = None, {}
    for place, word in enumerate(words):
        name, _, folder = word.rpartition("=") if not Path(word).exists() else ("", "", word)
        if not name and not (Path(folder) / "adapter.json").is_file():
            if place or len(words) == 1:
                raise SureError(f"{word} is not a bundle; pass name=BUNDLE")
            backbone = word
            continue
        name = name or default_name(Path(folder))
        if name in bundles:
            raise SureError(f"two bundles have the name {name}; pass name=BUNDLE for each")
        bundles[name] = Path(folder)
    return backbone, bundles


def default_name(folder: Path) -> str:
    """`exp/asr_moonshine_lora/seed1/bundle` is asr_moonshine_lora; any other folder has its own name."""
    folder = folder.resolve()
    inside = folder.name == "bundle" and folder.parent.name.startswith("seed")
    return folder.parents[1].name if inside else folder.name


def read_key(file: Path | None) -> str:
    """The key in a file, or else in the environment; empty without any. Raises SureError for an unusable file."""
    if file is None:
        return os.environ.get(KEY, "").strip()
    try:
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SureError(f"--key-file {file} cannot be read: {error}") from None
    if not key:
        raise SureError(f"--key-file {file} is empty; write the key into it")
    return key


if __name__ == "__main__":
    run(main)
