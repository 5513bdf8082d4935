import os
import subprocess
import sys

import numpy as np
import pytest

from framing.errors import DataError
from framing.metrics import average_precision, count, f1, macro

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

GOLD = [[1, 0], [0, 1], [1, 1], [0, 0]]
LABELS = [[1, 0], [0, 0], [1, 1], [1, 0]]
P = [[0.9, 0.1], [0.2, 0.4], [0.8, 0.7], [0.6, 0.2]]

USE = """
import pytest_socket
pytest_socket.disable_socket()
import evaluate
from framing.metrics import shells
combined = evaluate.combine([shells.MultiLabelF1(), shells.MultiLabelAveragePrecision()])
combined.add_batch(predictions=[[1, 0]], prediction_scores=[[0.9, 0.1]], references=[[1, 0]])
print(combined.compute()["f1_macro"])
"""


@pytest.fixture
def shells(socket_disabled):
    from framing.metrics import shells

    return shells


def test_f1(shells, tmp_path):
    metric = shells.MultiLabelF1(cache_dir=str(tmp_path))
    found = metric.compute(predictions=LABELS, references=GOLD)
    gold, labels = np.array(GOLD, bool), np.array(LABELS, bool)
    assert found["f1_macro"] == pytest.approx(float(macro(f1(count(gold, labels)))))
    assert found["f1_micro"] == pytest.approx(6 / 8)


def test_combined_metrics_take_labels_and_probabilities(shells, tmp_path):
    import evaluate

    combined = evaluate.combine(
        [
            shells.MultiLabelF1(cache_dir=str(tmp_path)),
            shells.MultiLabelExactMatch(cache_dir=str(tmp_path)),
            shells.MultiLabelAveragePrecision(cache_dir=str(tmp_path)),
            shells.MultiLabelCalibration(cache_dir=str(tmp_path)),
        ]
    )
    for start in (0, 2):
        part = slice(start, start + 2)
        combined.add_batch(
            predictions=LABELS[part], prediction_scores=P[part], references=GOLD[part]
        )
    batched = combined.compute()
    at_once = combined.compute(predictions=LABELS, prediction_scores=P, references=GOLD)
    assert batched == at_once
    assert batched["exact_match"] == 0.5
    expected = average_precision(np.array(GOLD, bool), np.array(P)).mean()
    assert batched["average_precision_macro"] == pytest.approx(expected)
    assert set(batched) == {
        "f1_macro",
        "f1_micro",
        "exact_match",
        "average_precision_macro",
        "average_precision_micro",
        "brier",
        "calibration_error",
    }


def test_single_label_shells(shells, tmp_path):
    metric = shells.SingleLabelF1(n_labels=4, cache_dir=str(tmp_path))
    found = metric.compute(predictions=[0, 0, 1, 1, 0, 0], references=[0, 0, 0, 1, 1, 2])
    assert found["f1_macro"] == pytest.approx((4 / 7 + 1 / 2) / 3)
    assert found["accuracy"] == 0.5
    metric = shells.SingleLabelCalibration(cache_dir=str(tmp_path))
    found = metric.compute(prediction_scores=[[0.6, 0.4], [0.3, 0.7]], references=[0, 0])
    assert found["brier"] == pytest.approx((0.32 + 0.98) / 2)
    assert found["calibration_error"] == pytest.approx((0.4 + 0.7) / 2)


def test_probabilities_are_refused_as_labels(shells, tmp_path):
    metric = shells.MultiLabelF1(cache_dir=str(tmp_path))
    with pytest.raises(DataError, match="predictions: expected labels, 0 or 1, found values from"):
        metric.compute(predictions=P, references=GOLD)
    metric = shells.SingleLabelF1(n_labels=2, cache_dir=str(tmp_path))
    with pytest.raises(DataError, match="predictions: expected label indices, whole numbers"):
        metric.compute(predictions=[0.7, 0.2], references=[1, 0])


def test_rows_must_have_one_length(shells, tmp_path):
    metric = shells.MultiLabelF1(cache_dir=str(tmp_path))
    with pytest.raises(DataError, match=r"expected rows of one length, found lengths \[1, 2\]"):
        metric.compute(predictions=[[1, 0], [1]], references=[[1, 0], [1, 0]])


def test_works_in_a_fresh_process_without_a_network(tmp_path):
    environment = os.environ | {"HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", USE], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "1.0"


def test_the_pure_metrics_load_nothing_heavy():
    code = (
        "import sys, framing.metrics; "
        "print(sorted({'evaluate', 'datasets', 'sklearn', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
