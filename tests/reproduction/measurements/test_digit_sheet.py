import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.reproduction.measurements.digit_sheet import draw_sheet, mosaic


@given(count=st.integers(1, 30), height=st.integers(1, 4), width=st.integers(1, 4))
def test_a_mosaic_has_every_image_in_its_place_and_grey_elsewhere(
    count: int, height: int, width: int
) -> None:
    images = np.random.default_rng(0).random((count, height, width))
    sheet = mosaic(images)
    columns = (sheet.shape[1] - 1) // (width + 1)
    assert columns**2 >= count > (columns - 1) ** 2
    for number, image in enumerate(images):
        top = number // columns * (height + 1) + 1
        left = number % columns * (width + 1) + 1
        place = sheet[top : top + height, left : left + width]
        assert np.array_equal(place, image)
        place[:] = 0.7
    assert (sheet == 0.7).all()


def test_a_sheet_has_a_panel_for_each_kind_in_which_one_is_white() -> None:
    kinds = {"3": np.zeros((2, 5, 5)), "6": np.ones((7, 5, 5))}
    panels = draw_sheet(kinds).axes
    assert [panel.get_title() for panel in panels] == ["3", "6"]
    for panel, images in zip(panels, kinds.values(), strict=True):
        (shown,) = panel.get_images()
        assert np.array_equal(np.asarray(shown.get_array()), mosaic(images))
        assert shown.get_clim() == (0, 1)
        assert shown.get_cmap().name == "gray"
