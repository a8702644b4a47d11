"""The command line: nctutorial compress | decompress | benchmark | train.

Whatever a user can get wrong ends in one line on stderr and exit code 2.
"""

import argparse
import inspect
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, get_args

from . import data, metrics
from .codec import NAMES, bitstream, decompress, load_codec, units
from .tools import benchmark, survey
from .training import Recipe, train


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"nctutorial: {message} (see {self.prog} --help)\n")


def _lam(text: str) -> float:
    try:
        units.lam_index(float(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
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
    """A parser of output paths that finds what is wrong with one before the work begins, not after it."""

    def path(text: str) -> Path:
        path = Path(text)
        if suffixes and path.suffix.lower() not in suffixes:
            raise argparse.ArgumentTypeError(f"the name of the output ends in {suffixes[0]}, unlike {text}")
        if not path.parent.is_dir():
            raise argparse.ArgumentTypeError(f"there is no folder {path.parent} to write {path.name} to")
        if path.is_dir():
            raise argparse.ArgumentTypeError(f"{text} is a folder: name a file")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise argparse.ArgumentTypeError(f"no permission to write {text}")
        return path

    return path


def _compress(args: argparse.Namespace) -> None:
    image, losses = data.open_image(args.input)
    file = load_codec(args.model).compress(image, args.lam)
    data.write_atomic(args.output, file)
    print(f"{args.output}: {len(file):,} bytes, {metrics.bpp(len(file), image):.4f} bpp at lambda {args.lam:g}")
    if losses:
        print(losses)


def _decompress(args: argparse.Namespace) -> None:
    file = args.input.read_bytes()
    decode = decompress if args.model is None else load_codec(args.model).decompress
    data.save_image(args.output, decode(file, args.max_pixels))


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
    train(**{name: value for name, value in vars(args).items() if name != "run"})


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="nctutorial", description="A learned image codec, from photos to bytes and back.")
    commands = parser.add_subparsers(metavar="command", required=True)

    def command(function: Callable[[argparse.Namespace], None], name: str, help: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help, description=help)
        added.set_defaults(run=function)
        return added

    added = command(_compress, "compress", "Compress a picture into a .nct file.")
    added.add_argument("input", metavar="IN", help="any picture: PNG, JPEG, WebP, AVIF, TIFF, ...")
    added.add_argument("output", metavar="OUT.nct", type=_output(".nct"))
    help = f"{units.LAM_MIN} (small) to {units.LAM_MAX} (good), default %(default)s"
    added.add_argument("--lam", type=_lam, default=0.01, help=help)
    added.add_argument("--model", default="factorized", help="weights that `train` wrote, default the bundled ones")

    added = command(_decompress, "decompress", "Decompress a .nct file into a picture.")
    added.add_argument("input", metavar="IN.nct", type=Path)
    added.add_argument("output", metavar="OUT.png", type=_output(), help="the suffix gives the format")
    added.add_argument("--model", help="weights that the file was written with, default the bundled ones")
    help = "refuse larger pictures, default %(default)s"
    added.add_argument("--max-pixels", type=_at_least(1), default=bitstream.MAX_PIXELS, help=help)

    help = "Measure rate, distortion and time on a folder of photos; on Kodak also BD-rates."
    added = command(_benchmark, "benchmark", help)
    added.add_argument("folder", metavar="FOLDER", nargs="?", help="photos; may be left out with --speed")
    added.add_argument("--out", metavar="CSV", type=_output(".csv"), help="write all rows there")
    added.add_argument("--speed", action="store_true", help="print the milliseconds of each part on a 768x512 photo")
    help = f"codecs: {', '.join(NAMES)}, or weights that `train` wrote; default factorized"
    added.add_argument("--model", nargs="+", default=["factorized"], help=help)
    where = added.add_mutually_exclusive_group()
    where.add_argument("--jobs", metavar="N", type=_at_least(1), default=1, help="processes, default %(default)s")
    where.add_argument("--dask", metavar="ADDRESS", help="a Dask scheduler, as tcp://host:8786: its workers measure")

    help = "Train the codec on a folder of photos; interrupted, the same call goes on."
    _train_options(command(_train, "train", help))
    return parser


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
    parser = _parser()
    try:
        args = parser.parse_args(argv)
        if args.run is _benchmark and args.folder is None and not args.speed:
            parser.error("benchmark needs a folder of photos, or --speed")
        args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("nctutorial: interrupted", file=sys.stderr)
        return 130
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):  # torch's word for it
            raise
        message = "there is not enough memory for this"
    except OSError as error:
        message = ": ".join(str(part) for part in (error.filename, error.strerror) if part) or str(error)
    except ValueError as error:  # ImageError, BitstreamError and a model that does not fit
        message = str(error)
    else:
        return 0
    print("nctutorial: " + " ".join(message.split()), file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
