"""The λ explorer without a browser: driven as the page drives it, by `set_state` and by custom messages."""

import asyncio
import base64
import io
import json
import math
import re
import threading

import ipywidgets.embed
import numpy as np
import pytest
import torch
from explorer_standin import DctCodec
from PIL import Image
from traitlets import TraitError

from nctutorial import classical, data, metrics, plotting
from nctutorial.codec.units import LAM_MAX, LAM_MIN
from nctutorial.widgets import explorer, threads
from nctutorial.widgets import measurements as study
from nctutorial.widgets.explorer import LambdaExplorer, precompute, write_html


@pytest.fixture
def photo():
    return data.photo("red_panda")[120:216, 240:384]


@pytest.fixture
def widget(photo):
    made = LambdaExplorer(photo, codec=DctCodec())
    yield made
    made.close()


@pytest.fixture
def quick(monkeypatch, photo):
    """A widget that leaves out the slow figures."""
    monkeypatch.setattr(LambdaExplorer, "_when_resting", lambda self: None)
    made = LambdaExplorer(photo, codec=DctCodec())
    yield made
    made.close()


def pixels(x, image):
    return np.frombuffer(x["pixels"], np.uint8).reshape(image.shape)


def upload(widget, name, file, parts=3):
    size = -(-len(file) // parts)
    for part in range(parts):
        piece = memoryview(file[part * size : (part + 1) * size])
        content = {"kind": "upload", "name": name, "part": part, "parts": parts}
        widget._handle_custom_msg(content, [piece])


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
        assert np.array_equal(pixels(frame, photo), coded.image)
        assert frame["asked"] == lam
        assert frame["bytes"] == len(coded.data)
        assert frame["bpp"] == 8 * len(coded.data) / (96 * 144)
        assert frame["estimated"] == pytest.approx(coded.bits.sum() / (96 * 144))
        mse = ((photo.astype(float) - coded.image) ** 2).mean()
        assert frame["mse"] == pytest.approx(mse)
        assert frame["psnr"] == pytest.approx(10 * math.log10(255**2 / mse))
        assert np.array_equal(np.frombuffer(frame["bits"], np.float32), coded.bits.astype(np.float32).ravel())
        assert widget.detail["serial"] == frame["serial"]
        assert widget.detail["own"] == metrics.ms_ssim(photo, coded.image)


def test_there_and_back_gives_the_same_pixels_and_bytes(quick):
    first = quick.frame
    quick.set_state({"lam": 0.05})
    assert quick.frame["bytes"] > first["bytes"]
    quick.set_state({"lam": 0.01})
    assert quick.frame["pixels"] == first["pixels"] and quick.frame["bytes"] == first["bytes"]


def test_the_analysis_runs_once_a_photo(quick, photo):
    codec = DctCodec()
    widget = LambdaExplorer(photo, codec=codec)
    for lam in (0.002, 0.004, 0.05):
        widget.lam = lam
    assert codec.analyzed == 1
    widget.photo = "daisies"
    assert codec.analyzed == 2
    assert (widget.scene["width"], widget.scene["height"]) == (768, 512)
    widget.close()


@pytest.mark.parametrize("lam", [0.0009, 0.061, 0, -1, math.nan])
def test_lam_out_of_range_is_refused(quick, lam):
    with pytest.raises(TraitError, match="0.001 and 0.06"):
        quick.lam = lam
    assert quick.lam == 0.01


def test_the_ends_of_the_slider_survive_rounding(quick):
    quick.set_state({"lam": LAM_MAX * (1 + 1e-12)})
    assert quick.lam == LAM_MAX
    quick.set_state({"lam": LAM_MIN * (1 - 1e-12)})
    assert quick.lam == LAM_MIN


def test_an_unknown_photo_is_refused(quick):
    with pytest.raises(TraitError, match="no bundled photo 'nobody'; there are: berlin_cathedral"):
        quick.photo = "nobody"
    with pytest.raises(TraitError, match="no bundled photo 'own'"):
        LambdaExplorer("own", codec=DctCodec())


def test_held_out_photos_come_first(quick):
    groups = list(quick.photos.items())
    assert groups[0] == ("held out from training", data.photo_names("heldout"))
    assert groups[1] == ("seen in training", data.photo_names("train"))


def test_two_explorers_do_not_disturb_each_other(quick, photo):
    other = LambdaExplorer(photo[::-1].copy(), lam=0.05, codec=DctCodec())
    before = other.frame
    quick.set_state({"lam": 0.003, "other": "webp"})
    assert other.frame is before and other.lam == 0.05 and other.other == "original"
    other.close()


# ---- the other codecs


@pytest.mark.parametrize("name", ["jpeg", "webp"])
def test_at_the_same_bytes(widget, photo, name):
    widget.set_state({"other": name})
    for lam in (0.001, 0.01, 0.06):
        widget.set_state({"lam": lam})
        rival = widget.frame["rivals"][name]
        assert rival["file"] == classical.at_bytes(name, photo, widget.frame["bytes"])
        assert rival["bytes"] == len(rival["file"])
        picture = classical.decode(name, rival["file"])
        assert rival["psnr"] == metrics.psnr(photo, picture)
        assert widget.detail[name] == metrics.ms_ssim(photo, picture)


def test_curves_are_those_of_this_photo(widget, photo):
    assert widget.curves["webp"] == [list(p) for p in classical.rd_curve("webp", photo, explorer.GRID["webp"])]
    jpeg = sorted(classical.rd_curve("jpeg", photo, explorer.GRID["jpeg"]))
    assert widget.curves["jpeg"] == [list(point) for point in jpeg]
    codec = DctCodec()
    latent = codec.analyze(photo)
    expected = []
    for lam in np.geomspace(LAM_MIN, LAM_MAX, 13):
        coded = codec.code(latent, lam)
        expected.append([8 * len(coded.data) / (96 * 144), metrics.psnr(photo, coded.image)])
    assert np.allclose(widget.curves["codec"], expected)


# ---- two codecs


@pytest.fixture
def bundled(monkeypatch):
    """Two fast codecs in the place of the bundled ones: one takes coarser steps at the same λ."""
    codecs = {"factorized": DctCodec(), "hyperprior": DctCodec(step=9)}
    monkeypatch.setattr(explorer, "load_codec", codecs.__getitem__)
    return codecs


@pytest.fixture
def both(bundled, photo):
    made = LambdaExplorer(photo)
    yield made
    made.close()


def grid_curve(codec, photo):
    coded = [codec.code(codec.analyze(photo), lam) for lam in np.geomspace(LAM_MIN, LAM_MAX, 13)]
    return [[8 * len(c.data) / photo[..., 0].size, metrics.psnr(photo, c.image)] for c in coded]


def test_switching_the_codec_codes_the_same_photo_at_the_same_lam(both, bundled, photo):
    both.set_state({"lam": 0.02, "other": "jpeg"})
    first = both.frame
    for name in ("hyperprior", "factorized"):
        both.set_state({"codec": name})
        coded = bundled[name].code(bundled[name].analyze(photo), 0.02)
        frame = both.frame
        assert frame["codec"] == name and frame["lam"] == both.lam == 0.02
        assert frame["bytes"] == len(coded.data) and np.array_equal(pixels(frame, photo), coded.image)
        assert frame["rivals"]["jpeg"]["file"] == classical.at_bytes("jpeg", photo, len(coded.data))
        assert both.detail["serial"] == frame["serial"]
        assert both.detail["own"] == metrics.ms_ssim(photo, coded.image)
    assert frame["bytes"] == first["bytes"] and frame["pixels"] == first["pixels"]


def test_each_codec_analyses_a_photo_once_and_the_rivals_are_measured_once(both, bundled, monkeypatch):
    monkeypatch.setattr(classical, "encode", None)  # all of the curves are known
    for name in ("hyperprior", "factorized", "hyperprior"):
        both.codec = name
    assert [codec.analyzed for codec in bundled.values()] == [1, 1]
    for codec in bundled.values():
        on_the_grid = [lam for lam in codec.coded if lam in explorer.GRID["codec"]]
        assert len(on_the_grid) == len(set(on_the_grid)) == 13


@pytest.mark.parametrize("name", ["factorized", "hyperprior"])
def test_the_curves_of_both_codecs_lie_in_one_plane(bundled, photo, name):
    widget = LambdaExplorer(photo, codec=name)
    assert widget.codec == name == widget.frame["codec"]
    for each, codec in bundled.items():
        np.testing.assert_allclose(widget.curves[each], grid_curve(codec, photo))
    assert widget.curves["jpeg"] and widget.curves["webp"]
    widget.close()


def test_a_codec_of_the_readers_own_stands_alone(widget, bundled):
    assert widget.codecs == ["codec"] and set(widget.curves) == {"codec", "jpeg", "webp"}
    assert [codec.analyzed for codec in bundled.values()] == [0, 0]
    with pytest.raises(TraitError, match="no codec 'hyperprior'; there are: codec"):
        widget.codec = "hyperprior"


def test_an_unknown_codec_is_refused(both):
    for act in (lambda: setattr(both, "codec", "vvc"), lambda: LambdaExplorer(codec="vvc")):
        with pytest.raises(TraitError, match="no codec 'vvc'; there are: factorized, hyperprior"):
            act()
    assert both.codec == "factorized"


def test_the_other_curve_waits_for_a_rest_and_keeps_what_a_move_interrupts(monkeypatch, bundled, photo):
    slow = CountingLoop(monkeypatch, rest=0.1)

    async def drag():
        widget = LambdaExplorer(photo)
        for lam in np.geomspace(0.002, 0.05, 12):
            widget.set_state({"lam": lam})
            await asyncio.sleep(0.005)
        assert bundled["hyperprior"].analyzed == 0 and slow.similarities == []
        while len(bundled["hyperprior"].coded) < 3:
            await asyncio.sleep(0.001)
        widget.set_state({"lam": 0.011})
        await asyncio.wait_for(widget._task, 60)
        coded = bundled["hyperprior"].coded
        assert coded == explorer.GRID["codec"], "each point once, in spite of the move"
        assert len(widget.curves["hyperprior"]) == 13
        widget.close()

    asyncio.run(drag())


def test_a_codec_can_be_chosen_for_a_widget_asleep(both):
    both._handle_custom_msg({"kind": "sleep"}, [])
    assert not both._studies
    both.set_state({"codec": "hyperprior"})
    assert both.frame["codec"] == "hyperprior" and both.scene["pixels"]


def test_the_page_without_kernel_holds_one_codec_and_the_curves_of_both(bundled, photo, tmp_path):
    widget = precompute(photo, n=3, codec="hyperprior")
    assert [frame["codec"] for frame in widget.stills] == 3 * ["hyperprior"]
    assert widget.stills[1]["bytes"] == len(
        bundled["hyperprior"].code(widget._study.latent, widget.stills[1]["lam"]).data
    )
    for name, codec in bundled.items():
        np.testing.assert_allclose(widget.curves[name], grid_curve(codec, photo))
    write_html(tmp_path / "both.html", photo, n=3, codec="hyperprior")
    state = re.search(r'id="state">(.*?)</script>', (tmp_path / "both.html").read_text("utf-8"), re.S)[1]
    assert json.loads(state)["curves"].keys() == {"factorized", "hyperprior", "jpeg", "webp"}


def test_the_static_picture_names_the_codec(both, monkeypatch):
    drawn = []
    real = plotting.explorer_picture
    monkeypatch.setattr(plotting, "explorer_picture", lambda *a: drawn.append(real(*a)) or drawn[-1])
    both.codec = "hyperprior"
    both.picture()
    plane = drawn[0].axes[-1]
    assert [text.get_text() for text in plane.get_legend().get_texts()] == ["hyperprior", "JPEG", "WebP"]
    points = [line for line in plane.lines if len(line.get_xdata()) == 1]
    assert len(points) == 3 and {point.get_color() for point in points} == {plotting.PLUM}


# ---- the newest position wins


class CountingLoop:
    """Runs an explorer inside an event loop, as a kernel does, and counts the slow work."""

    def __init__(self, monkeypatch, rest):
        self.similarities = []
        real = explorer.Study.similarity

        def counted(study, picture, name=None):
            self.similarities.append(picture)
            return real(study, picture, name)

        monkeypatch.setattr(explorer, "REST", rest)
        monkeypatch.setattr(explorer.Study, "similarity", counted)


def test_the_background_has_one_thread_and_others_what_they_had():
    found = []
    other = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert threads.BACKGROUND.submit(torch.get_num_threads).result() == 1
    assert found == [torch.get_num_threads()]


def test_nothing_slow_happens_while_the_slider_moves(monkeypatch, photo):
    slow = CountingLoop(monkeypatch, rest=0.15)
    codec = DctCodec()

    async def drag():
        widget = LambdaExplorer(photo, codec=codec)
        positions = np.geomspace(0.002, 0.05, 12)
        for lam in positions:
            widget.set_state({"lam": lam})
            await asyncio.sleep(0.01)
            assert widget.frame["lam"] == lam, "each position that arrives is shown at once"
        assert slow.similarities == [] and widget.curves == {} and len(codec.coded) == 13
        await asyncio.wait_for(widget._task, 60)
        assert len(slow.similarities) == 1, "only the last position is worth the slow figures"
        assert np.array_equal(slow.similarities[0], pixels(widget.frame, photo))
        assert widget.detail["serial"] == widget.frame["serial"]
        assert all(widget.curves[name] for name in ("codec", "jpeg", "webp"))
        widget.close()

    asyncio.run(drag())


def test_a_move_interrupts_the_curves_and_they_go_on_later(monkeypatch, photo):
    CountingLoop(monkeypatch, rest=0.0)
    codec = DctCodec()

    async def interrupted():
        widget = LambdaExplorer(photo, codec=codec)
        while not widget._study.points["jpeg"]:
            await asyncio.sleep(0.001)
        widget.set_state({"lam": 0.02})
        await asyncio.wait_for(widget._task, 60)
        grid = [lam for lam in codec.coded if lam in explorer.GRID["codec"]]
        assert len(grid) == len(set(grid)) == 13, "no point of the curve is measured twice"
        assert widget.detail["serial"] == widget.frame["serial"]
        widget.close()

    asyncio.run(interrupted())


def test_what_another_thread_asks_is_done_on_the_thread_of_the_cells(quick):
    """JupyterLab handles the widgets' messages on a thread of their own. Of positions that wait, the last counts."""
    codec, threads = DctCodec(), []

    async def cells():
        widget = LambdaExplorer("red_panda", codec=codec)
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
        widget.close()

    asyncio.run(cells())


# ---- the stops of the slider


def test_the_stops_are_coded_ahead_nearest_first_and_then_only_shown(monkeypatch, photo):
    CountingLoop(monkeypatch, rest=0.0)
    codec = DctCodec()

    async def ahead():
        widget = LambdaExplorer(photo, lam=0.02, codec=codec)
        await asyncio.wait_for(widget._task, 60)
        rest = [lam for lam in codec.coded if lam not in (0.02, *explorer.GRID["codec"])]
        distances = [abs(math.log(lam / 0.02)) for lam in rest]
        assert len(rest) == 48 and distances == sorted(distances)
        known = len(codec.coded)
        for lam in widget.stops[::-7]:
            widget.set_state({"lam": lam})
            assert widget.frame["lam"] == lam
            assert np.array_equal(pixels(widget.frame, photo), codec.code(widget._study.latent, lam).image)
            codec.coded.pop()
        await asyncio.wait_for(widget._task, 60)
        assert len(codec.coded) == known
        widget.set_state({"lam": 0.021})
        widget.set_state({"lam": 0.022})
        assert codec.coded[known:] == [0.021, 0.022]
        widget.close()

    asyncio.run(ahead())


def test_only_stops_are_kept_and_no_more_than_there_is_room_for(monkeypatch, photo):
    monkeypatch.setattr(study, "KEPT", 4 * photo.nbytes + 1)
    made = study.Study(photo, DctCodec())
    stops = made.stops_near(study.STOPS[30] * 1.01)
    assert stops == [study.STOPS[i] for i in (30, 31, 29, 32)]
    for lam in (*stops, 0.0123):
        made.code(lam)
    assert sorted(made.kept) == study.STOPS[29:33]
    made.code(study.STOPS[33])
    assert sorted(made.kept) == study.STOPS[30:34], "the farthest makes room"
    monkeypatch.setattr(study, "KEPT", 0)
    assert study.Study(photo, DctCodec()).stops_near(1e-9) == [LAM_MIN]


def test_the_other_codec_lets_its_pictures_go(both):
    first = both._study
    assert first.kept
    both.codec = "hyperprior"
    assert not first.kept and both._study.kept


# ---- the reader's own photo


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "GIF"])
def test_upload(quick, kind):
    image = data.photo("stream")[:100, :70]
    file = as_file(image, kind)
    upload(quick, f"my brook.{kind.lower()}", file)
    assert quick.error == "" and quick.photo == "own"
    assert quick.scene["own"] == f"my brook.{kind.lower()}"
    assert np.array_equal(pixels(quick.scene, image), data.load_image(file))
    assert quick.frame["psnr"] > 15


@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (500, 2), (17, 33)])
def test_upload_of_any_size(widget, shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    upload(widget, "tiny.png", as_file(image))
    assert widget.error == "" and (widget.scene["height"], widget.scene["width"]) == shape
    assert len(widget.frame["bits"]) == 4 * -(-shape[0] // 16) * -(-shape[1] // 16)
    widget.set_state({"other": "jpeg", "lam": 0.06})
    assert widget.frame["rivals"]["jpeg"]["bytes"] > 0


def test_what_an_upload_left_out_is_said(widget):
    file = io.BytesIO()
    Image.new("RGBA", (30, 20), (255, 0, 0, 100)).save(file, "PNG")
    upload(widget, "logo.png", file.getvalue())
    assert widget.scene["note"] == "30 × 20 pixels. Transparency was put on white."
    widget.photo = "stream"
    assert "white" not in widget.scene["note"]


def test_a_flat_picture_is_coded_exactly_and_still_travels_as_json():
    widget = LambdaExplorer(np.full((64, 80, 3), 128, np.uint8), codec=DctCodec())
    widget.set_state({"other": "jpeg"})
    assert widget.frame["psnr"] is None and widget.frame["mse"] == 0
    assert widget.frame["rivals"]["jpeg"]["psnr"] is None and widget.detail["jpeg"] == 1
    for trait in (widget.frame, widget.detail, widget.curves):
        json.dumps(trait, allow_nan=False, default=lambda file: len(file))
    assert widget._repr_mimebundle_()[0]["image/png"]
    widget.close()


def test_a_large_photo_is_scaled_down_and_the_page_says_so(quick):
    image = np.zeros((3000, 4000, 3), np.uint8)
    image[:, 2000:] = 200
    upload(quick, "phone.jpg", as_file(image, "JPEG"))
    width, height = quick.scene["width"], quick.scene["height"]
    assert width * height <= 1_048_576 and width / height == pytest.approx(4 / 3, rel=0.01)
    assert "4000 × 3000 pixels, scaled down to" in quick.scene["note"]
    small = pixels(quick.scene, np.empty((height, width, 3)))
    assert small[5, 5].max() < 10 and small[5, -5].min() > 190


@pytest.mark.parametrize("file", [b"", b"not a picture", as_file(np.zeros((64, 64, 3), np.uint8), "JPEG")[:400]])
def test_a_broken_upload_is_one_sentence_and_loses_nothing(quick, file):
    before, scene = quick.frame, quick.scene
    upload(quick, "holiday.jpg", file, parts=1)
    assert quick.error.startswith("holiday.jpg: ") and "\n" not in quick.error
    assert quick.frame is before and quick.scene is scene
    quick.set_state({"lam": 0.02})
    assert quick.frame["lam"] == 0.02
    upload(quick, "good.png", as_file(data.photo("stream")[:64, :64]))
    assert quick.error == ""


def test_the_upload_can_be_left_and_found_again(quick):
    image = data.photo("stream")[:64, :80]
    upload(quick, "brook.png", as_file(image))
    quick.set_state({"photo": "red_panda"})
    assert quick.scene["width"] == 768 and quick.scene["own"] == "brook.png"
    quick.set_state({"photo": "own"})
    assert quick.scene["width"] == 80


def test_an_array_that_is_no_image_is_refused():
    with pytest.raises(data.ImageError, match="uint8"):
        LambdaExplorer(np.zeros((8, 8)), codec=DctCodec())


# ---- life of the widget


def test_asleep_it_holds_nothing_large_and_awake_it_shows_the_same(quick):
    before, scene = quick.frame, quick.scene
    quick._handle_custom_msg({"kind": "sleep"}, [])
    held = [quick._study, quick._coded, *quick.frame.values(), *quick.scene.values()]
    assert not any(held)
    quick._handle_custom_msg({"kind": "wake"}, [])
    assert quick.frame["pixels"] == before["pixels"] and quick.scene == scene


def test_any_change_wakes_it(quick):
    quick._handle_custom_msg({"kind": "sleep"}, [])
    quick.set_state({"lam": 0.02})
    assert quick.frame["lam"] == 0.02 and quick.scene["pixels"]
    quick._handle_custom_msg({"kind": "sleep"}, [])
    quick.set_state({"other": "jpeg"})
    assert quick.frame["lam"] == 0.02


@pytest.mark.parametrize(
    "state", [{"lam": 0.03}, {"codec": "hyperprior"}, {"photo": "stream"}, {"lam": 0.002, "codec": "hyperprior"}]
)
def test_an_interrupt_in_the_middle_of_a_change_is_made_good(monkeypatch, bundled, photo, state):
    monkeypatch.setattr(LambdaExplorer, "_when_resting", lambda self: None)

    async def interrupted():
        widget, real, hits = LambdaExplorer(photo), explorer.Study.code, []

        def code(study, lam):
            if not hits:
                hits.append(lam)
                raise KeyboardInterrupt
            return real(study, lam)

        monkeypatch.setattr(explorer.Study, "code", code)
        with pytest.raises(KeyboardInterrupt):
            widget.set_state(state)
        await asyncio.sleep(0.01)
        image = data.photo("stream") if "photo" in state else photo
        coded = bundled[widget.codec].code(bundled[widget.codec].analyze(image), widget.lam)
        assert hits and widget.frame["codec"] == state.get("codec", "factorized")
        assert widget.frame["lam"] == state.get("lam", 0.01)
        assert widget.frame["pixels"] == coded.image.tobytes() and widget.scene["pixels"] == image.tobytes()
        widget.close()

    asyncio.run(interrupted())


def test_repr_and_static_picture(widget):
    assert repr(widget) == "LambdaExplorer(photo='own', lam=0.01)"
    bundle, metadata = widget._repr_mimebundle_()
    assert bundle["text/plain"] == repr(widget)
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
    picture = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert picture.format == "PNG" and picture.width >= 1000
    assert "rate-distortion" in metadata["image/png"]["alt"]


def test_the_page_needs_nothing_from_outside():
    for text in (LambdaExplorer._esm, LambdaExplorer._css):
        addresses = set(re.findall(r"https?://[^\s\"'`)]+", text))
        assert addresses <= {"http://www.w3.org/2000/svg"}  # a namespace, never fetched
        assert "@import" not in text and not re.search(r"^\s*import\b", text, re.M)


# ---- without a kernel


@pytest.fixture(scope="module")
def still():
    photo = data.photo("red_panda")[100:196, 200:296]
    made = precompute(photo, n=5, codec=DctCodec())
    yield photo, made
    made.close()


def test_precomputed_figures_are_of_the_exact_picture(still):
    photo, widget = still
    codec = DctCodec()
    latent = codec.analyze(photo)
    assert not widget.live and len(widget.stills) == 5 and widget.frame == {}
    assert [s["lam"] for s in widget.stills] == pytest.approx(np.geomspace(LAM_MIN, LAM_MAX, 5))
    for frame in widget.stills:
        coded = codec.code(latent, frame["lam"])
        assert frame["bytes"] == len(coded.data)
        assert frame["psnr"] == pytest.approx(metrics.psnr(photo, coded.image))
        assert frame["detail"]["own"] == metrics.ms_ssim(photo, coded.image)
        assert metrics.psnr(coded.image, data.load_image(frame["pixels"])) > 34, "stored nearly as it was"
        for name in ("jpeg", "webp"):
            assert frame["rivals"][name]["file"] == classical.at_bytes(name, photo, frame["bytes"])
    assert np.array_equal(data.load_image(widget.scene["pixels"]), photo)
    assert "5 positions" in widget.scene["note"] and "AVIF" in widget.scene["note"]


def test_precomputed_state_travels_with_a_saved_notebook(still):
    _, widget = still
    state = ipywidgets.embed.embed_data([widget], drop_defaults=False)
    saved = state["manager_state"]["state"][widget.model_id]
    paths = [tuple(buffer["path"]) for buffer in saved["buffers"]]
    assert ("stills", 4, "pixels") in paths and ("scene", "pixels") in paths
    assert not any(path[0] == "frame" for path in paths)


def test_stand_alone_page(tmp_path, photo):
    path = tmp_path / "explorer.html"
    write_html(path, photo, n=3, codec=DctCodec())
    assert list(tmp_path.iterdir()) == [path]
    page = path.read_text("utf-8")
    assert "default-src 'none'" in page and set(re.findall(r"https?://[^\s\"]+", page)) == {
        "http://www.w3.org/2000/svg"
    }
    text = re.search(r'<script type="application/json" id="state">(.*?)</script>', page, re.S)[1]
    state = json.loads(text)
    assert [s["bytes"] for s in state["stills"]] == sorted(s["bytes"] for s in state["stills"])
    assert base64.b64decode(state["scene"]["pixels"]["base64"])[:4] == b"RIFF"


def test_a_page_that_cannot_be_written_leaves_no_trace(tmp_path, photo):
    with pytest.raises(FileNotFoundError, match="no folder"):
        write_html(tmp_path / "nowhere" / "explorer.html", photo, n=2, codec=DctCodec())
    assert list(tmp_path.iterdir()) == []
