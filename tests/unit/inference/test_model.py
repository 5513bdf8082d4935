from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import framing
from framing.errors import DataError
from framing.inference.model import Model
from framing.records import Sentence

TEXTS = ["Inflation is terrible.", "The weather was fine.", "Unemployment."]
ADDED = ["topics", "p.topics.prices", "p.topics.jobs", "view.prices", "p.view.prices.good"]


@pytest.fixture(scope="module")
def model(tiny_bundle: Path) -> Model:
    return framing.load(tiny_bundle)


def test_lists(model: Model) -> None:
    found = model.label(TEXTS)
    assert [p.labels["topics"] for p in found] == [("prices",), (), ("jobs",)]
    assert [p.sentence_id for p in found] == ["0", "1", "2"]
    assert model.label(iter(TEXTS)) == found
    assert model.label([Sentence("x", TEXTS[0], "d")])[0].sentence_id == "x"
    assert model.label([]) == []
    assert model.codebook.name == "small"


def test_pandas(model: Model) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"body": TEXTS, "n": [1, 2, 3]}, index=[7, 8, 9])
    found = model.label(frame, {"text": "body"})
    assert list(found.columns)[:7] == ["body", "n", *ADDED]
    assert list(found.index) == [7, 8, 9]
    assert found["topics"].tolist() == [["prices"], [], ["jobs"]]
    assert found["speaker"].tolist() == ["government"] * 3
    assert found["p.topics.prices"][7] == model.label(TEXTS)[0].probabilities["topics"][0]
    assert list(frame.columns) == ["body", "n"]
    assert model.label(frame["body"]) == model.label(TEXTS)
    with pytest.raises(DataError, match="has a column 'topics' already; rename or drop it"):
        model.label(found, {"text": "body"})


def test_cells_that_compare_to_nothing(model: Model) -> None:
    pd, np = pytest.importorskip("pandas"), pytest.importorskip("numpy")
    frame = pd.DataFrame({"text": TEXTS})
    frame["position"] = pd.array([None, 4, 5], dtype="Int64")
    frame["doc_id"] = pd.array(["a", None, "a"], dtype="string")
    frame["span"] = [np.array([0, 3]), None, np.array([4, 9])]
    frame["vector"] = [np.array([0.5, 1.5])] * 3
    assert model.label(frame)["topics"].tolist() == [["prices"], [], ["jobs"]]
    frame["text"] = [*TEXTS[:2], np.array(["a", "b"])]
    with pytest.raises(DataError, match=r"row 3: column 'text': expected a text, found \[\"a\""):
        model.label(frame)
    frame["text"] = pd.array([*TEXTS[:2], None], dtype="string")
    with pytest.raises(DataError, match="row 3: column 'text': expected a sentence, found nothing"):
        model.label(frame)


def test_polars(model: Model) -> None:
    pl = pytest.importorskip("polars")
    found = model.label(pl.DataFrame({"text": TEXTS}))
    assert found.columns[:6] == ["text", *ADDED]
    assert found["topics"].to_list() == [["prices"], [], ["jobs"]]
    assert found["view.prices"].to_list() == ["bad", None, None]
    assert model.label(pl.Series(TEXTS)) == model.label(TEXTS)


def test_datasets(model: Model) -> None:
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_dict({"text": TEXTS})
    found = model.label(data)
    assert found.column_names[:6] == ["text", *ADDED]
    assert list(found["topics"]) == [["prices"], [], ["jobs"]]
    assert model.label(data["text"]) == model.label(TEXTS)
    with pytest.raises(DataError, match=r"found a DatasetDict with the splits a, b; pass one spl"):
        model.label(datasets.DatasetDict({"a": data, "b": data}))
    rows = data.to_iterable_dataset()
    with pytest.raises(DataError, match=r"text 0: .* a row with the columns text; pass the texts"):
        model.label(rows)
    assert model.label(row["text"] for row in rows) == model.label(TEXTS)


UNLABELLED = ["The weather was fine.", "So be it."]


@pytest.mark.parametrize("kind", ["arrow", "pandas", "numpy"])
def test_datasets_of_another_format(model: Model, kind: str) -> None:
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_dict({"text": TEXTS})
    labelled = model.label(data.with_format(kind)).with_format(None)
    assert labelled[:] == model.label(data)[:]


def test_columns_of_one_name(model: Model) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([["One", "Two"]], columns=["text", "text"])
    with pytest.raises(DataError, match=r"label: data frame: column 'text' stands twice; rename"):
        model.label(frame)


def test_halves_of_characters(model: Model) -> None:
    message = r"sentence '\w*-?[12]': expected text, found half of a character"
    with pytest.raises(DataError, match=message):
        model.label(["One.", "Caf\ud800."])
    pandas = pytest.importorskip("pandas")
    with pytest.raises(DataError, match=message):
        model.label(pandas.DataFrame({"text": ["Caf\ud800."]}, dtype=object))


def test_types_do_not_depend_on_what_is_labelled(model: Model) -> None:
    pd = pytest.importorskip("pandas")
    frames = [pd.DataFrame({"text": texts}, dtype=object) for texts in (TEXTS, UNLABELLED, [])]
    found = [model.label(frame) for frame in frames]
    assert found[0].dtypes.equals(found[1].dtypes)
    assert found[0].dtypes.equals(found[2].dtypes)
    assert found[1]["view.prices"].isna().all()
    assert found[1]["p.topics.jobs"].dtype == "float64"


def test_types_of_datasets_do_not_depend_on_what_is_labelled(model: Model) -> None:
    datasets = pytest.importorskip("datasets")
    found = [model.label(datasets.Dataset.from_dict({"text": t})) for t in (TEXTS, UNLABELLED)]
    assert found[0].features == found[1].features
    assert found[1].features["view.prices"].dtype == "string"


def test_types_of_polars_do_not_depend_on_what_is_labelled(model: Model) -> None:
    pl = pytest.importorskip("polars")
    found = [model.label(pl.DataFrame({"text": texts})) for texts in (TEXTS, UNLABELLED)]
    assert found[0].schema == found[1].schema
    assert found[1].schema["topics"] == pl.List(pl.String)


def test_bytes_in_a_frame(model: Model) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"text": [TEXTS[0].encode(), TEXTS[1]]})
    assert model.label(frame)["topics"].tolist() == [["prices"], []]
    frame["text"] = [b"caf\xe9", TEXTS[1]]
    with pytest.raises(
        DataError, match=r"row 1: column 'text': expected text in UTF-8, found byte"
    ):
        model.label(frame)


def test_threads(model: Model) -> None:
    lists = [[f"{'so ' * k}{text}" for text in TEXTS] for k in range(40)]
    alone = [model.label(texts) for texts in lists]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(model.label, lists)) == alone


def test_what_is_no_text(model: Model) -> None:
    pd = pytest.importorskip("pandas")
    with pytest.raises(DataError, match=r"a list of texts or a data frame of .*, found str"):
        model.label("Inflation.")
    with pytest.raises(DataError, match="text 1: expected a text, found None"):
        model.label(["Inflation.", None])  # type: ignore[list-item]
    with pytest.raises(DataError, match=r"data frame, row 2: column 'text': expected a sentence"):
        model.label(pd.DataFrame({"text": ["Inflation.", None]}))
    with pytest.raises(DataError, match="`columns` is for data frames"):
        model.label(TEXTS, {"text": "body"})  # type: ignore[call-overload]


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, framing; print({'numpy', 'onnxruntime', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_kinds_of_data_frames(model: Model) -> None:
    pd = pytest.importorskip("pandas")

    class GeoDataFrame(pd.DataFrame):
        pass

    found = model.label(GeoDataFrame({"text": TEXTS}))
    assert found["topics"].tolist() == [["prices"], [], ["jobs"]]


def test_other_data_frames_are_refused(model: Model) -> None:
    class Frame:
        columns = ("text", "id")

        def __iter__(self) -> object:
            return iter(self.columns)

    with pytest.raises(DataError, match=r"of pandas, polars or datasets, found Frame"):
        model.label(Frame())


def test_a_data_set_without_rows_gets_the_columns_of_others(model: Model) -> None:
    datasets = pytest.importorskip("datasets")
    full = datasets.Dataset.from_dict({"text": TEXTS, "n": [1, 2, 3]})
    empty = full.filter(lambda row: row["n"] > 3)
    assert model.label(empty).features == model.label(full).features
    assert len(model.label(empty)) == 0


def test_nothing_is_reported_to_anybody(tiny_bundle: Path, tmp_path: Path) -> None:
    # onnxruntime leaves the number that it reports a machine by in the folder of temporary files.
    code = "import sys, framing; framing.load(sys.argv[1]).label(['Prices rose.'])"
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    subprocess.run(
        [sys.executable, "-c", code, str(tiny_bundle)],
        env=environment | {"TMPDIR": str(tmp_path)},
        check=True,
    )
    assert list(tmp_path.iterdir()) == []
