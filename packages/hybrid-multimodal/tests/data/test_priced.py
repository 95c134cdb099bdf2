"""The source `priced`: a user's own table of rows with pictures."""

import numpy as np
import pytest
from PIL import Image

from torchworks.hybrid_multimodal.data.price_columns import columns_of
from torchworks.hybrid_multimodal.data.priced import PRICED
from torchworks.hybrid_multimodal.data.priced_config import PricedConfig
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data.mixed_columns import MISSING

HEAD = "image,price,Floor Area,kind,name,country\n"


def table(folder, rows: int = 60, extra: str = "") -> str:
    """A table with a picture in all rows but the first, and an empty area in the second."""
    lines = []
    for i in range(rows):
        if i:
            pixels = np.random.default_rng(i).integers(50, 255, (9, 12, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{i}.png")
        area = "" if i == 1 else f"{20 + i}"
        lines.append(f"{f'{i}.png' if i else ''},{100 + i}.5,{area},{'flat' if i % 2 else 'house'},n{i},fr")
    file = folder / "rows.csv"
    file.write_text(HEAD + "\n".join(lines) + "\n" + extra)
    return str(file)


def test_columns_are_numbers_or_categories_and_those_that_say_nothing_are_left_out(tmp_path):
    source = PRICED(table(tmp_path), PricedConfig(image_size=8), 0)
    columns = columns_of(source.schema, source.name)
    assert columns.numbers == ("floor_area",)
    assert columns.categories == {"kind": ("?", "flat", "house")}
    assert "name (60 different texts), country (the same everywhere)" in " ".join(source.notes)
    assert len(source.train) + len(source.test) == 60


def test_what_is_missing_is_marked(tmp_path):
    source = PRICED(table(tmp_path), PricedConfig(image_size=8), 0)
    rows = [part[i] for part in (source.train, source.test) for i in range(len(part))]
    assert sum(not row["image"].any() for row in rows) == 1
    assert sum(row["floor_area"].item() == np.float32(MISSING) for row in rows) == 1


def test_wrong_rows_are_named_by_their_line_or_left_out(tmp_path):
    extra = "no.png,1,2,flat,x,fr\n1.png,much,2,flat,x,fr\n1.png,3,large,flat,x,fr\n"
    file = table(tmp_path, extra=extra)
    with pytest.raises(UserError) as error:
        PRICED(file, PricedConfig(image_size=8), 0)
    for said in ("line 62 names the picture no.png", "line 63 has the price 'much'", "line 64 has the floor area 'la"):
        assert said in str(error.value)
    source = PRICED(file, PricedConfig(image_size=8, skip_bad=True), 0)
    assert len(source.train) + len(source.test) == 60
    report = PRICED.check(f"priced:{file}", PricedConfig(image_size=8), 0)
    assert not report.ok


def test_the_split_of_the_table_is_kept_and_categories_of_the_test_part_alone_are_unknown(tmp_path):
    lines = [f",{i + 1},{i},{'abc'[i % 3]},{'train' if i % 3 < 2 else 'test'}" for i in range(45)]
    file = tmp_path / "rows.csv"
    file.write_text("image,price,size,kind,split\n" + "\n".join(lines))
    source = PRICED(str(tmp_path), PricedConfig(image_size=8), 0)
    assert (len(source.train), len(source.test)) == (30, 15)
    assert source.schema["kind"].classes == ("?", "a", "b")
    assert {source.test[i]["kind"].item() for i in range(15)} == {0}


@pytest.mark.parametrize(
    ("text", "said"),
    [("image,price\n,1\n,2\n", "no column beside"), ("a,b\n1,2\n", "lacks the column"),
     ("image,price,size\n,1,2\n,2,3\n", "fewest")],
)  # fmt: skip
def test_tables_that_cannot_be_learned_from_are_refused(tmp_path, text, said):
    file = tmp_path / "rows.csv"
    file.write_text(text)
    with pytest.raises(UserError, match=said):
        PRICED(str(file), PricedConfig(image_size=8), 0)


def test_recipes_of_other_data_are_told_so():
    with pytest.raises(UserError, match="Use the recipe price"):
        PRICED("rows.csv", LoaderConfig(), 0)
