"""The λ explorer without a browser: driven as the page drives it, by `set_state` and by custom messages."""

import asyncio
import base64
import io
import json
import threading

import numpy as np
import pytest
from explorer_standin import DctCodec
from matplotlib import colormaps
from PIL import Image
from traitlets import TraitError

from nctutorial import classical, data, metrics, plotting
from nctutorial.widgets.base import STOPS
from nctutorial.widgets.explorer import LambdaExplorer, bits_map, explorer_figure
from nctutorial.widgets.measurements import Measurements, settings


class Quick(LambdaExplorer):
    """Leaves out the slow figures."""

    def _when_resting(self):
        pass


class Hasty(LambdaExplorer):
    rest = 0.1


@pytest.fixture
def widget(photo):
    return LambdaExplorer(photo, model=DctCodec())


@pytest.fixture
def quick(photo):
    return Quick(photo, model=DctCodec())


@pytest.fixture
def both(bundled, photo):
    return LambdaExplorer(photo)


def pixels(x, image):
    return np.frombuffer(x["pixels"], np.uint8).reshape(image.shape)


def send(widget, kind, *buffers, **content):
    widget._handle_custom_msg({"kind": kind, **content}, list(buffers))


def upload(widget, name, file, pieces=3):
    size = -(-len(file) // pieces)
    for i in range(pieces):
        piece = memoryview(file[i * size : (i + 1) * size])
        send(widget, "upload", piece, name=name, piece=i, pieces=pieces)


def as_file(image, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind)
    return buffer.getvalue()


# ---- a move


def test_a_move_shows_what_the_codec_made(widget, photo):
    codec = DctCodec()
    assert np.array_equal(pixels(widget.scene, photo), photo)
    for lam in (0.002, 0.03):
        widget.set_state({"lam": lam})
        coded, frame = codec.code(codec.analyze(photo), lam), widget.frame
        assert np.array_equal(pixels(frame, photo), coded.image) and frame["bits"] == bits_map(coded.bits)
        assert (frame["lam"], frame["bytes"]) == (lam, len(coded.data))
        assert widget.detail == {"serial": frame["serial"], "own": metrics.ms_ssim(photo, coded.image)}


def test_the_bits_map_is_viridis_on_a_logarithmic_scale():
    bits = np.array([[0.0, 1.0, 1000**0.5], [1000.0, 5000.0, 10.0]])
    expected = colormaps["viridis"]([[0, 0, 0.5], [1, 1, 1 / 3]], bytes=True)[..., :3]
    assert np.array_equal(np.frombuffer(bits_map(bits), np.uint8).reshape(2, 3, 3), expected)


def test_the_zoom_starts_where_the_bits_go(quick):
    image = np.full((320, 480, 3), 100, np.uint8)
    image[32:176, 256:400] = np.random.default_rng(0).integers(0, 256, (144, 144, 3))
    upload(quick, "spot.png", as_file(image))
    assert quick.scene["focus"] == [256 + 72, 32 + 72]


def test_unknown_names_are_refused(quick, both):
    for act in (lambda: setattr(quick, "photo", "nobody"), lambda: LambdaExplorer("nobody")):
        with pytest.raises(TraitError, match="no bundled photo 'nobody'; there are: berlin_cathedral"):
            act()
    with pytest.raises(TraitError, match="no bundled photo 'own'"):
        LambdaExplorer("own")
    for act in (lambda: setattr(both, "model", "vvc"), lambda: LambdaExplorer(model="vvc")):
        with pytest.raises(TraitError, match="no codec 'vvc'; there are: factorized, hyperprior"):
            act()
    assert both.model == "factorized"
    with pytest.raises(data.ImageError, match="uint8"):
        LambdaExplorer(np.zeros((8, 8)))


# ---- rivals, curves, two codecs


@pytest.mark.parametrize("name", ["jpeg", "webp"])
def test_at_the_same_bytes(widget, photo, name):
    widget.set_state({"other": name})
    for lam in (0.001, 0.01, 0.06):
        widget.set_state({"lam": lam})
        rival = widget.frame["rivals"][name]
        assert rival["file"] == classical.at_bytes(name, photo, widget.frame["bytes"])
        assert widget.detail[name] == metrics.ms_ssim(photo, classical.decode(name, rival["file"]))


def grid_curve(codec, photo):
    coded = [codec.code(codec.analyze(photo), lam) for lam in np.geomspace(0.001, 0.06, 13)]
    return [[8 * len(c.data) / photo[..., 0].size, metrics.psnr(photo, c.image)] for c in coded]


@pytest.mark.parametrize("name", ["factorized", "hyperprior"])
def test_the_curves_of_all_codecs_lie_in_one_plane(bundled, photo, name):
    widget = LambdaExplorer(photo, model=name)
    assert widget.model == name == widget.frame["model"]
    for each, codec in bundled.items():
        np.testing.assert_allclose(widget.curves[each], grid_curve(codec, photo))
    assert len(widget.curves["jpeg"]) == len(settings("jpeg")) and widget.curves["webp"]


def test_switching_the_codec_codes_the_same_photo_at_the_same_lam(both, bundled, photo):
    both.set_state({"lam": 0.02, "other": "jpeg"})
    first = both.frame
    for name in ("hyperprior", "factorized"):
        both.set_state({"model": name})
        coded = bundled[name].code(bundled[name].analyze(photo), 0.02)
        frame = both.frame
        assert frame["model"] == name and frame["lam"] == both.lam == 0.02
        assert frame["bytes"] == len(coded.data) and np.array_equal(pixels(frame, photo), coded.image)
        assert frame["rivals"]["jpeg"]["file"] == classical.at_bytes("jpeg", photo, len(coded.data))
        assert both.detail["own"] == metrics.ms_ssim(photo, coded.image)
    assert frame["bytes"] == first["bytes"] and frame["pixels"] == first["pixels"]


def test_each_codec_analyses_a_photo_once_and_all_points_are_measured_once(both, bundled, monkeypatch):
    monkeypatch.setattr(classical, "encode", None)  # all of the rivals' curves are known
    for name in ("hyperprior", "factorized", "hyperprior"):
        both.model = name
    assert [codec.analyzed for codec in bundled.values()] == [1, 1]
    for codec in bundled.values():
        assert len([lam for lam in codec.coded if lam in settings("factorized")]) == 13


def test_a_codec_of_the_readers_own_stands_alone(widget, bundled):
    assert widget.models == ["codec"] and set(widget.curves) == {"codec", "jpeg", "webp"}
    assert [codec.analyzed for codec in bundled.values()] == [0, 0]
    with pytest.raises(TraitError, match="no codec 'hyperprior'; there are: codec"):
        widget.model = "hyperprior"


# ---- in an event loop, as in a kernel: the newest position wins, the rest waits


@pytest.fixture
def similarities(monkeypatch):
    """The pictures whose MS-SSIM is asked for: slow work."""
    pictures, real = [], Measurements.similarity
    monkeypatch.setattr(Measurements, "similarity", lambda *args: pictures.append(args[1]) or real(*args))
    return pictures


def test_nothing_slow_happens_while_the_slider_moves(similarities, bundled, photo):
    async def drag():
        widget = Hasty(photo)
        for lam in np.geomspace(0.002, 0.05, 12):
            widget.set_state({"lam": lam})
            await asyncio.sleep(0.005)
            assert widget.frame["lam"] == lam, "each position that arrives is shown at once"
        assert similarities == [] and not any(widget.curves.values())
        assert bundled["hyperprior"].analyzed == 0 and len(bundled["factorized"].coded) == 13
        while len(bundled["hyperprior"].coded) < 3:
            await asyncio.sleep(0.001)
        assert len(similarities) == 1, "only the last position is worth the slow figures"
        assert np.array_equal(similarities[0], pixels(widget.frame, photo))
        widget.set_state({"lam": 0.011})  # interrupts the curves
        await asyncio.sleep(0)
        await asyncio.wait_for(widget._task, 60)
        assert bundled["hyperprior"].coded == settings("hyperprior"), "each point once, in spite of the move"
        assert all(widget.curves.values()) and widget.detail["serial"] == widget.frame["serial"]

    asyncio.run(drag())


def test_the_stops_are_coded_ahead_nearest_first_and_then_only_shown(photo):
    codec = DctCodec()

    async def ahead():
        widget = Hasty(photo, lam=0.02, model=codec)
        await asyncio.wait_for(widget._task, 60)
        early = {0.02, *settings("codec")}
        distances = [abs(np.log(lam / 0.02)) for lam in codec.coded if lam not in early]
        assert len(distances) == 48 and distances == sorted(distances)
        del codec.coded[:]
        for lam in STOPS[::-7]:
            widget.set_state({"lam": lam})
            await asyncio.sleep(0)
            assert widget.frame["lam"] == lam
        await asyncio.wait_for(widget._task, 60)
        assert codec.coded == []

    asyncio.run(ahead())


def test_what_another_thread_asks_is_done_on_the_thread_of_the_cells(photo):
    """JupyterLab handles the widgets' messages on a thread of their own. Of positions that wait, the last counts."""
    codec, threads = DctCodec(), []

    async def cells():
        widget = LambdaExplorer("red_panda", model=codec)
        code, codec.code = codec.code, lambda *args: threads.append(threading.current_thread()) or code(*args)

        def messages():
            for lam in (0.002, 0.003, 0.05):
                widget.set_state({"lam": lam})
            widget.set_state({"other": "jpeg"})

        other = threading.Thread(target=messages)
        other.start()
        other.join()  # a cell is running
        assert threads == [] and widget.frame["lam"] == 0.01
        await asyncio.sleep(0)
        assert widget.frame["lam"] == 0.05 and set(widget.frame["rivals"]) == {"jpeg"}
        await asyncio.to_thread(setattr, widget, "photo", "stream")
        await asyncio.sleep(0)
        assert widget.scene["pixels"] == data.photo("stream").tobytes()
        assert threads == 2 * [threading.current_thread()]

    asyncio.run(cells())


@pytest.mark.parametrize(
    "state", [{"lam": 0.03}, {"model": "hyperprior"}, {"photo": "stream"}, {"lam": 0.002, "model": "hyperprior"}]
)
def test_an_interrupt_in_the_middle_of_a_change_is_made_good(monkeypatch, bundled, photo, state):
    async def interrupted():
        widget, real, hits = Quick(photo), Measurements.figures, []

        def figures(*args):
            if len(hits) < 2:
                hits.append(args)
                raise KeyboardInterrupt
            return real(*args)

        monkeypatch.setattr(Measurements, "figures", figures)
        widget.set_state(state)
        await asyncio.sleep(0)
        image = data.photo("stream") if "photo" in state else photo
        coded = bundled[widget.model].code(bundled[widget.model].analyze(image), widget.lam)
        assert len(hits) == 2 and widget.frame["model"] == state.get("model", "factorized")
        assert widget.frame["lam"] == state.get("lam", 0.01)
        assert widget.frame["pixels"] == coded.image.tobytes() and widget.scene["pixels"] == image.tobytes()

    asyncio.run(interrupted())


# ---- the reader's own photo


@pytest.mark.parametrize("kind, pieces", [("PNG", 1), ("JPEG", 3), ("TIFF", 50)])
def test_upload(quick, kind, pieces):
    image = data.photo("stream")[:100, :70]
    file = as_file(image, kind)
    upload(quick, f"my brook.{kind.lower()}", file, pieces)
    assert quick.error == "" and quick.photo == "own" and quick.scene["own"] == f"my brook.{kind.lower()}"
    assert np.array_equal(pixels(quick.scene, image), data.load_image(file)) and quick.frame["psnr"] > 15
    quick.set_state({"photo": "red_panda"})  # it can be left and found again
    assert quick.scene["width"] == 768 and quick.scene["own"] == f"my brook.{kind.lower()}"
    quick.set_state({"photo": "own"})
    assert quick.scene["width"] == 70


@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (500, 2), (17, 33)])
def test_upload_of_any_size(widget, shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    upload(widget, "tiny.png", as_file(image))
    assert widget.error == "" and (widget.scene["height"], widget.scene["width"]) == shape
    assert len(widget.frame["bits"]) == 3 * -(-shape[0] // 16) * -(-shape[1] // 16)
    widget.set_state({"other": "jpeg", "lam": 0.06})
    assert widget.frame["rivals"]["jpeg"]["bytes"] > 0


def test_what_an_upload_left_out_is_said(quick):
    file = io.BytesIO()
    Image.new("RGBA", (30, 20), (255, 0, 0, 100)).save(file, "PNG")
    upload(quick, "logo.png", file.getvalue())
    assert quick.scene["note"] == "30 × 20 pixels. Transparency was put on white."
    quick.photo = "stream"
    assert quick.scene["note"] == "768 × 512 pixels."


def test_a_flat_picture_is_coded_exactly_and_still_travels_as_json():
    widget = LambdaExplorer(np.full((64, 80, 3), 128, np.uint8), model=DctCodec())
    widget.set_state({"other": "jpeg"})
    assert widget.frame["psnr"] is None and widget.frame["mse"] == 0
    assert widget.frame["rivals"]["jpeg"]["psnr"] is None and widget.detail["jpeg"] == 1
    for trait in (widget.frame, widget.detail, widget.curves):
        json.dumps(trait, allow_nan=False, default=lambda file: len(file))
    assert widget.picture()


@pytest.mark.parametrize("file", [b"", b"not a picture", as_file(np.zeros((64, 64, 3), np.uint8), "JPEG")[:400]])
def test_a_broken_upload_is_one_sentence_and_loses_nothing(quick, file):
    before, scene = quick.frame, quick.scene
    upload(quick, "holiday.jpg", file, pieces=1)
    assert quick.error.startswith("holiday.jpg: ") and "\n" not in quick.error
    assert quick.frame is before and quick.scene is scene
    quick.set_state({"lam": 0.02})
    assert quick.frame["lam"] == 0.02
    upload(quick, "good.png", as_file(data.photo("stream")[:64, :64]))
    assert quick.error == ""


# ---- asleep and awake


@pytest.mark.parametrize(
    "state", [None, {"lam": 0.02}, {"other": "jpeg"}, {"model": "hyperprior"}, {"photo": "stream"}]
)
def test_asleep_it_holds_nothing_large_and_any_change_wakes_it(bundled, photo, state):
    widget = Quick(photo)
    before = widget.frame
    send(widget, "gone")
    assert widget.asleep and not any([widget._measured, widget._coded, widget.frame, widget.scene])
    if state is None:
        send(widget, "wake")
        assert widget.frame["pixels"] == before["pixels"]
    else:
        widget.set_state(state)
    assert not widget.asleep and widget.scene["pixels"]
    assert (widget.frame["lam"], widget.frame["model"]) == (widget.lam, widget.model)


# ---- on a static page


def test_repr_and_static_picture(widget):
    assert repr(widget) == "LambdaExplorer(photo='own', lam=0.01)"
    send(widget, "gone")
    bundle, metadata = widget._repr_mimebundle_()
    picture = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert picture.size == (1100, 540) and "rate-distortion" in metadata["image/png"]["alt"]


def test_the_static_picture_names_the_codec(both):
    both.model = "hyperprior"
    plane = both.figure().axes[0]
    assert [text.get_text() for text in plane.get_legend().get_texts()] == ["hyperprior", "JPEG", "WebP"]
    points = [line for line in plane.lines if len(line.get_xdata()) == 1]
    assert len(points) == 3 and {point.get_color() for point in points} == {plotting.PLUM}


@pytest.mark.parametrize("focus", [(8, 8), (300.0, 200.0), (767, 511)])
def test_the_static_picture_shows_the_same_region_of_every_picture(focus):
    codec, photo = DctCodec(), data.photo("stream")
    results = [codec.code(codec.analyze(photo), lam) for lam in (0.002, 0.01, 0.05)]
    figure = explorer_figure(photo, results, {"codec": [(0.5, 30.0)], "jpeg": []}, focus)
    plane, *axes = figure.axes
    regions = [each.images[0].get_array() for each in axes]
    left, top = np.clip(np.round(focus).astype(int) - 80, 0, (768 - 160, 512 - 160))
    for picture, region in zip([photo, *(coded.image for coded in results)], regions, strict=True):
        assert np.array_equal(picture[top : top + 160, left : left + 160], region)
    marked = [line.get_xydata().tolist()[0] for line in plane.lines if len(line.get_xdata()) == 1][-3:]
    points = [[metrics.bpp(len(coded.data), photo), metrics.psnr(photo, coded.image)] for coded in results]
    np.testing.assert_allclose(marked, points)
