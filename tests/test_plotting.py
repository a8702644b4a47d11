"""The figures: that they show the numbers they were given."""

from nctutorial import plotting


def test_rd_plane_draws_each_curve_with_its_label_and_units():
    curves = {"jpeg": [(0.2, 26.0), (0.5, 30.0)], "my codec": [(0.1, 27.0), (0.4, 31.5), (1.0, 35.0)]}
    ax = plotting.rd_plane(curves)
    drawn = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert drawn == {"JPEG": [[0.2, 26], [0.5, 30]], "my codec": [[0.1, 27], [0.4, 31.5], [1, 35]]}
    assert ax.get_xlabel() == "rate (bpp)" and ax.get_ylabel() == "PSNR (dB)"


def test_looks_differ_in_more_than_colour():
    looks = [(line, marker) for _, _, line, marker in plotting.LOOKS.values()]
    assert len(set(looks)) == len(looks)
