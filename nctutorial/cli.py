"""The command line: nctutorial compress | decompress | info | benchmark | train.

Whatever a user can get wrong ends in one line on stderr and exit code 2. A file that is there already is replaced
without a word, as by cjxl, avifenc and cwebp.
"""

import argparse
import inspect
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, get_args

import shtab
from PIL import Image
from tqdm import tqdm

from . import __version__, data, files, metrics
from .codec import NAMES, bitstream, decompress, load_codec, name_of, units
from .tools import benchmark, survey
from .tools.targets import Target, compress_to
from .training import Recipe, train


class _Parser(argparse.ArgumentParser):
    def add_argument(self, *names: str, **options: Any) -> argparse.Action:
        action = super().add_argument(*names, **options)
        if action.nargs != 0 and not action.choices:  # any text: shells complete it as the name of a file
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        return action

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"nctutorial: {message} (see {self.prog} --help)\n")


def _type(parse: Callable[..., Any], *options: str) -> Callable[[str], Any]:
    """`parse` as a type of argparse, which shows the messages of its own error only."""

    def checked(text: str) -> Any:
        try:
            return parse(text, *options)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return checked


def _lam(text: str) -> float:
    units.lam_index(float(text))
    return float(text)


def _at_least(low: int | float) -> Callable[[str], int | float]:
    """A parser of finite numbers of the type of `low`."""

    def number(text: str) -> int | float:
        value = type(low)(text)
        if not low <= value < math.inf:
            raise argparse.ArgumentTypeError(f"{text} is not a number of {low} or more")
        return value

    return number


def _output(*suffixes: str) -> Callable[[str], Path]:
    return _type(files.checked_output, *suffixes)


def _describe(name: str, file: bytes) -> str:
    """What the header of a .nct file says, in one line."""
    header, _ = bitstream.unpack(file, max_pixels=1 << 64)  # no picture is made
    model = name_of(header.fingerprint) or f"a model that is not bundled ({header.fingerprint.hex()})"
    size = header.height, header.width
    return (
        f"{name}: {header.width} x {header.height} pixels, {len(file):,} bytes, {metrics.bpp(len(file), size):.4f} bpp "
        f"at lambda {units.lam_text(header.lam_index)} by {model}"
    )


# ---- the commands


def _compress(args: argparse.Namespace) -> int:
    def work(source: str, target: str) -> None:
        with files.opened(source) as picture:
            image, losses = data.open_image(picture)
        file = codec.compress(image, args.lam) if args.quality is None else compress_to(codec, image, args.quality)
        if target == "-":
            sys.stdout.buffer.write(file)
        else:
            Path(target).parent.mkdir(exist_ok=True)
            data.write_atomic(target, file)
        report = "\n".join(filter(None, [_describe(target, file), losses]))
        tqdm.write(report, sys.stderr if target == "-" else sys.stdout)

    pairs = files.pairs(args.inputs, args.output, survey.pictures, ".nct", ".nct")
    codec = load_codec(args.model)
    return files.each(work, pairs)


def _decompress(args: argparse.Namespace) -> int:
    def work(source: str, target: str) -> None:
        with files.opened(source) as stream:
            image = decode(stream.read(), args.max_pixels)
        if target == "-":
            Image.fromarray(image).save(sys.stdout.buffer, "PNG")
        else:
            Path(target).parent.mkdir(exist_ok=True)
            data.save_image(target, image)

    pairs = files.pairs(args.inputs, args.output, files.streams, ".png")
    decode = decompress if args.model is None else load_codec(args.model).decompress
    return files.each(work, pairs)


def _info(args: argparse.Namespace) -> int:
    def work(name: str) -> None:
        with files.opened(name) as stream:
            print(_describe(name, stream.read()))

    return files.each(work, [(name,) for name in args.inputs])


def _benchmark(args: argparse.Namespace) -> None:
    codecs = {name: load_codec(name) for name in args.model}
    if args.folder is not None:
        rows = survey.measure_folder(codecs, args.folder, out=args.out, jobs=args.jobs, dask=args.dask)
        print(benchmark.table(rows))
        for name in codecs:
            rates = benchmark.bd_rates([row for row in rows if row["codec"] == name])
            if rates is not None:
                print(benchmark.bd_line(rates, name))
    if args.speed:
        for name, codec in codecs.items():
            print(f"{name}: {benchmark.speed(codec, data.photo('red_panda'))}")


def _train(args: argparse.Namespace) -> None:
    train(**{name: value for name, value in vars(args).items() if name not in ("run", "print_completion")})


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="nctutorial", description="A learned image codec, from photos to bytes and back.")
    parser.set_defaults(run=lambda args: parser.print_help())
    parser.add_argument("--version", action="version", version=f"nctutorial {__version__}")
    shtab.add_argument_to(parser, help="print a script that completes commands in this shell")
    commands = parser.add_subparsers(metavar="command")

    def command(function: Callable[[argparse.Namespace], int | None], name: str, help: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help, description=help)
        added.set_defaults(run=function)
        return added

    _compress_options(command(_compress, "compress", "Compress pictures into .nct files."))
    _decompress_options(command(_decompress, "decompress", "Decompress .nct files into pictures."))
    added = command(_info, "info", "Say what .nct files hold: size, bytes, bpp, lambda and model.")
    added.add_argument("inputs", metavar="IN.nct", nargs="+", help="- is the standard input")
    help = "Measure rate, distortion and time on a folder of photos; on Kodak also BD-rates."
    _benchmark_options(command(_benchmark, "benchmark", help))
    help = "Train the codec on a folder of photos; interrupted, the same call goes on."
    _train_options(command(_train, "train", help))
    return parser


def _compress_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("inputs", metavar="IN", nargs="+", help="pictures: PNG, JPEG, WebP, AVIF, TIFF, ...; folders of them; or -")
    add("output", metavar="OUT", help="a .nct file, or - for the standard output; of several inputs a folder")
    rate = parser.add_mutually_exclusive_group()
    help = f"{units.LAM_MIN} (small) to {units.LAM_MAX} (good), default %(default)s"
    rate.add_argument("--lam", type=_type(_lam), default=0.01, help=help)
    help = "in place of lambda, for each picture: at most 30000B or 0.5bpp, or at least 36dB of PSNR"
    rate.add_argument("--quality", metavar="TARGET", type=_type(Target.parse), help=help)
    add("--model", default="factorized", help="weights that `train` wrote, default the bundled ones")


def _decompress_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("inputs", metavar="IN.nct", nargs="+", help=".nct files, folders of them, or - for the standard input")
    help = "a picture, whose suffix gives the format; of several inputs a folder, for PNGs; or -, for a PNG"
    add("output", metavar="OUT", help=help)
    add("--model", help="weights that the files were written with, default the bundled ones")
    help = "refuse larger pictures, default %(default)s"
    add("--max-pixels", type=_at_least(1), default=bitstream.MAX_PIXELS, help=help)


def _benchmark_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("folder", metavar="FOLDER", nargs="?", help="photos; may be left out with --speed")
    add("--out", metavar="CSV", type=_output(".csv"), help="write all rows there")
    add("--speed", action="store_true", help="print the milliseconds of each part on a 768x512 photo")
    help = f"codecs: {', '.join(NAMES)}, or weights that `train` wrote; default factorized"
    add("--model", nargs="+", default=["factorized"], help=help)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--jobs", metavar="N", type=_at_least(1), default=1, help="processes, default %(default)s")
    where.add_argument("--dask", metavar="ADDRESS", help="a Dask scheduler, as tcp://host:8786: its workers measure")


def _train_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"{inspect.getdoc(train)}\n\n{inspect.getdoc(Recipe)}"
    add("folder", metavar="FOLDER")
    add("--out", metavar="FILE", type=_output(".safetensors"), required=True)
    add("--model", choices=NAMES, default="factorized", help="default %(default)s")
    add("--start", metavar="WEIGHTS", help="weights to begin with, default the PCA of patches")
    for name, default in vars(Recipe()).items():
        option = "--" + name.replace("_", "-")
        if isinstance(default, bool):
            add(option, action="store_true")
        elif isinstance(default, str):
            add(option, choices=get_args(Recipe.__annotations__[name]), default=default, help="default %(default)s")
        else:
            least = {"batch": 1, "every": 1, "crop": 64}.get(name, type(default)(0))
            add(option, metavar="N", type=_at_least(least), default=default, help="default %(default)s")


def main(argv: list[str] | None = None) -> int:
    """Run one command. argv: the arguments, default those of the process. Returns the exit code."""

    def work() -> int:
        parser = _parser()
        args = parser.parse_args(argv)
        if args.run is _benchmark and args.folder is None and not args.speed:
            parser.error("benchmark needs a folder of photos, or --speed")
        code = args.run(args)
        sys.stdout.flush()
        return code

    try:
        return files.guarded(work)
    except KeyboardInterrupt:
        print("nctutorial: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
