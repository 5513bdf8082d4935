from __future__ import annotations

from dataclasses import replace

import pytest

from framing.evaluation.schema import (
    BESIDE,
    CODERS,
    Comparison,
    Prevalence,
    Score,
    Scores,
    from_dict,
    to_dict,
)
from framing.report import render_markdown
from framing.report.figures import forest
from framing.report.tables import systems_table
from framing.report.verdicts import how_to_read, learning_gains, overall, verdict, warnings
from framing.report.view import View
from tests.unit.report import examples


def _with_comparison(scores: Scores, **values: float) -> View:
    """The flagship with one comparison, of frames with TF-IDF."""
    fields = {"difference": 0.2, "low": 0.1, "high": 0.3, "p_value": 0.002} | values
    found = Comparison("tfidf", "f1", "frames", "macro", **fields)
    return View(replace(scores, comparisons=(found,)))


def _tfidf_sentence(view: View) -> str:
    sentences = verdict(view, view.book.variable("frames")).sentences
    return next(s for s in sentences if s.startswith("TF-IDF"))


def test_clear_gain(flagship: Scores) -> None:
    sentence = _tfidf_sentence(_with_comparison(flagship))
    assert "the model is better by more than chance explains" in sentence
    assert "(+0.200 [+0.100, +0.300], p = 0.002)" in sentence


def test_clear_loss(flagship: Scores) -> None:
    view = _with_comparison(flagship, difference=-0.2, low=-0.3, high=-0.1)
    assert "the model is worse by more than chance explains" in _tfidf_sentence(view)


@pytest.mark.parametrize(("low", "high"), [(-0.01, 0.05), (0.0, 0.05), (-0.05, 0.0)])
def test_interval_that_holds_zero_is_noise(flagship: Scores, low: float, high: float) -> None:
    view = _with_comparison(flagship, difference=0.01, low=low, high=high, p_value=0.3)
    assert "cannot be told from noise" in _tfidf_sentence(view)


def test_untested_difference(flagship: Scores) -> None:
    view = View(replace(flagship, comparisons=()))
    assert _tfidf_sentence(view).endswith("the difference was not tested.")


def _unscored(scores: Scores, name: str, why: str, *variables: str, basis: str = "") -> Scores:
    """Scores in which a baseline has nothing to go on for some variables."""
    systems = [
        replace(
            s,
            basis=basis,
            unscored=dict.fromkeys(variables, why),
            scores=tuple(x for x in s.scores if x.variable not in (*variables, "all")),
        )
        if s.name == name
        else s
        for s in scores.systems
    ]
    return replace(scores, systems=tuple(systems))


def test_a_baseline_with_nothing_to_go_on_is_not_scored(flagship: Scores) -> None:
    view = View(_unscored(flagship, "keywords", "no keywords", "stance", "holder"))
    frames, holder = (verdict(view, view.book.variable(v)).sentences for v in ("frames", "holder"))
    assert any(s.startswith("The codebook's keyword list scores") for s in frames)
    assert not any(s.startswith("The codebook's keyword list") for s in holder)
    assert holder[-1] == "Not scored beside the model: keyword list (no keywords)."
    assert "keywords" in [s.name for s in view.others_on(view.book.variable("frames"))]
    table = systems_table(view, view.book.variable("holder"))
    assert "Keyword list" not in [row.cells[0] for row in table.rows]


def test_another_model_stands_before_the_baselines_under_its_own_name(flagship: Scores) -> None:
    name = "last_week-1a2b3c4d-s1"
    systems = [
        replace(s, name=name, kind="other") if s.name == "tfidf" else s for s in flagship.systems
    ]
    compared = [replace(c, other=name) if c.other == "tfidf" else c for c in flagship.comparisons]
    scores = replace(flagship, systems=tuple(systems), comparisons=tuple(compared))
    view = View(scores)
    assert [s.name for s in view.others][:4] == [CODERS, BESIDE, name, "keywords"]
    sentences = verdict(view, view.book.variable("frames")).sentences
    assert sentences[1].startswith(f"The other model {name} scores 0.")
    assert "another training of the same recipe" in how_to_read(view)
    assert "another training of the same recipe" not in how_to_read(View(flagship))
    assert any(row.cells[0] == name for row in systems_table(view, view.book.variables[0]).rows)
    drawing = forest(view, view.book.variable("frames"))
    assert drawing is not None
    assert name in drawing.svg


def test_a_baseline_with_nothing_at_all_is_no_system(flagship: Scores) -> None:
    why, everything = "no training sentence tells its target", ("frames", "stance", "holder")
    view = View(_unscored(flagship, "metadata", why, *everything, basis="target"))
    assert "metadata" not in [s.name for s in view.others]
    for variable in view.book.variables:
        assert verdict(view, variable).sentences[-1] == (
            f"Not scored beside the model: target guess ({why})."
        )


def _with_documents(scores: Scores, n: int) -> Scores:
    return replace(scores, signature=replace(scores.signature, documents=n))


@pytest.mark.parametrize("other", ["tfidf", "coders"])
def test_few_documents_leave_a_difference_unjudged(flagship: Scores, other: str) -> None:
    found = Comparison(other, "f1", "frames", "macro", 0.2, 0.1, 0.3, 0.002)
    view = View(_with_documents(replace(flagship, comparisons=(found,)), 9))
    (sentence,) = [
        s for s in verdict(view, view.book.variable("frames")).sentences if "+0.200" in s
    ]
    assert sentence.endswith(
        "; the difference is +0.200 [+0.100, +0.300], with too few documents to tell it from "
        "chance (9 documents, 10 are needed)."
    )


def test_few_documents_have_no_p_values_and_call_no_baseline_equal(flagship: Scores) -> None:
    near = Comparison("tfidf", "f1", "frames", "macro", 0.01, -0.01, 0.03, 0.4)
    some = replace(flagship, comparisons=(near,))
    few, enough = (View(_with_documents(some, n)) for n in (9, 10))
    assert "No p-values are shown (9 documents, 10 are needed)." in how_to_read(few)
    assert "P-values are two-sided" in how_to_read(enough)
    assert not any("not better" in w for w in warnings(few))
    assert any("not better" in w for w in warnings(enough))


def test_documents_of_a_difference_count_and_not_those_of_the_data(flagship: Scores) -> None:
    """Stance coded in 2 of 272 documents: no more can be said of it than of a file with 2."""
    found = Comparison("tfidf", "f1", "stance", "macro", 0.2, 0.1, 0.3, 0.002, documents=2)
    near = Comparison("keywords", "f1", "stance", "macro", 0.01, -0.1, 0.1, 0.9, documents=2)
    view = View(replace(flagship, comparisons=(found, near)))
    stance = view.book.variable("stance")
    (sentence,) = [s for s in verdict(view, stance).sentences if "+0.200" in s]
    assert sentence.endswith("chance (2 documents, 10 are needed).")
    assert not any("not better" in w for w in warnings(view))
    table = systems_table(view, stance)
    assert "p: too few documents to test differences (2 documents, 10 are needed)." in table.notes
    assert {row.cells[-1] for row in table.rows} == {"", "n/a"}


def test_warning_and_summary_agree_where_interval_and_p_value_do_not(flagship: Scores) -> None:
    view = _with_comparison(flagship, difference=0.02, low=0.0001, high=0.04, p_value=0.051)
    assert "cannot be told from noise" in _tfidf_sentence(view)
    (warned,) = [w for w in warnings(view) if "not better" in w]
    assert warned.endswith(": TF-IDF.")


def test_a_difference_without_spread_is_not_judged(flagship: Scores) -> None:
    found = Comparison("tfidf", "f1", "frames", "macro", 1.0, 1.0, 1.0, 0.002)
    view = View(replace(flagship, comparisons=(found,)))
    assert "the same value in every resample" in _tfidf_sentence(view)
    table = systems_table(view, view.book.variable("frames"))
    assert "p: no test of a difference that is the same in every resample." in table.notes
    equal = View(replace(flagship, comparisons=(replace(found, difference=0, low=0, high=0),)))
    assert "cannot be told from noise" in _tfidf_sentence(equal)
    assert any("not better" in w for w in warnings(equal))


def test_figures_of_few_documents_are_named(flagship: Scores) -> None:
    scores = (
        Score("f1", "frames", "frames", "macro", 0.5, 0.4, 0.6, 900, documents=20),
        Score("f1", "frames", "frames", "nato_concerns", 0.5, 0.4, 0.6, 25, documents=19),
        Score("f1", "stance", "", "macro", 0.5, 0.4, 0.6, 300, documents=3),
        Score("f1", "stance", "stance.nato_concerns", "macro", 0.5, 0.4, 0.6, 30, documents=2),
    )
    view = View(replace(flagship, systems=(replace(flagship.systems[0], scores=scores),)))
    (found,) = [w for w in warnings(view) if w.startswith("Fewer than 20 documents")]
    assert found.endswith(
        "no difference is judged: Frames / NATO concerns (19); Stance (3); "
        "Stance on NATO concerns (2)."
    )
    assert not any(w.startswith("Fewer than 20 documents") for w in warnings(View(flagship)))


def test_the_curves_text_goes_by_the_difference_from_the_run() -> None:
    scores = examples.with_curve()
    gains = list(learning_gains(View(scores)))
    assert gains[0] == (
        "Frames, F1 with 603 sentences added: the model is better by more than chance explains "
        "(+0.200 [+0.020, +0.190], p = 0.004)."
    )
    page = render_markdown(scores)
    assert gains[0].split(":")[0] in page
    assert "was not tested." in page
    assert "still rises" not in page


def test_curves_of_earlier_versions_are_said_to_be_untested() -> None:
    scores = examples.with_curve()
    old = to_dict(scores)
    for point in old["learning_curve"]:
        del point["differences"]
    page = render_markdown(from_dict(old))
    assert "Differences between points were not tested" in page
    assert "less the run without" not in page


def test_lead_has_the_scores_numbers(flagship: Scores) -> None:
    score = Score("f1", "stance", "", "macro", 0.4567, 0.4001, 0.5002, 321)
    model = replace(flagship.systems[0], scores=(score,))
    view = View(replace(flagship, systems=(model,)))
    found = verdict(view, view.book.variable("stance"))
    assert found.value == "0.457"
    assert found.lead == (
        "The model's macro-F1 is 0.457 (95% interval 0.400 to 0.500) over 3 labels and 321 "
        "values, one for each label of Frames that gold has."
    )
    assert found.sentences == (
        "Not scored beside the model: coders, keyword list, outlet or genre guess and TF-IDF.",
    )
    assert verdict(view, view.book.variable("frames")).lead == "Macro-F1 was not computed."


def test_lead_counts_the_labels_of_the_mean(flagship: Scores) -> None:
    macro = Score("f1", "stance", "", "macro", 1.0, None, None, 321, "without absent labels: favor")
    defined = Score("f1", "stance", "", "against", 1.0, None, None, 300)
    absent = Score("f1", "stance", "", "favor", None, None, None, 0, "neither")
    model = replace(flagship.systems[0], scores=(macro, defined, absent))
    view = View(replace(flagship, systems=(model,)))
    assert "is 1.000 over 2 labels (without: In favour) and 321" in (
        verdict(view, view.book.variable("stance")).lead
    )


def test_undefined_macro_says_why() -> None:
    view = View(examples.undefined())
    found = verdict(view, view.book.variable("frames"))
    assert found.value == "n/a"
    assert found.interval == ""
    assert found.lead == "Macro-F1 is undefined: no unit was coded."


def test_overall_only_with_several_variables(flagship: Scores) -> None:
    assert "0.612 [0.580, 0.644]" in overall(View(flagship))
    assert overall(View(examples.wide())) == ""
    assert overall(View(examples.undefined())) == ""


def test_how_to_read_without_resamples() -> None:
    assert "No intervals were computed" in how_to_read(View(examples.undefined()))


def test_warnings_start_with_those_of_the_run(flagship: Scores) -> None:
    assert warnings(View(flagship))[0].startswith("The scored text was composed")


def test_leakage_warnings(flagship: Scores) -> None:
    assert any("2 stand in the training data word for word" in w for w in warnings(View(flagship)))
    unknown = warnings(View(replace(flagship, leakage=None)))
    assert any(w.startswith("It is not known whether scored sentences") for w in unknown)
    clean = warnings(View(replace(flagship, leakage=examples.undefined().leakage)))
    assert not any("training data" in w for w in clean)


def test_twenty_instances_are_enough(flagship: Scores) -> None:
    counts = (
        Prevalence("frames", "nato_concerns", 19, 3, 100),
        Prevalence("stance.nato_concerns", "favor", 20, 3, 100),
    )
    found = warnings(View(replace(flagship, prevalence=counts)))
    few = [w for w in found if w.startswith("Fewer than 20")]
    assert few == [
        "Fewer than 20 gold instances, so the label's figures say little: "
        "Frames / NATO concerns (19)."
    ]


def test_what_is_not_calibrated_is_named(flagship: Scores) -> None:
    few = (("frames", "nato_concerns"), ("stance.nato_concerns", ""), ("holder", ""))
    found = warnings(View(replace(flagship, uncalibrated=few)))
    assert [w for w in found if w.startswith("Not calibrated")] == [
        "Not calibrated, since fewer than 5 development sentences have the label or lack it; where "
        "fewer have it, its threshold is 0.5 too: Frames / NATO concerns.",
        "Not calibrated, since there are fewer than 5 development sentences a label: "
        "Stance on NATO concerns; Holder.",
    ]
    assert not any(w.startswith("Not calibrated") for w in warnings(View(flagship)))


def test_baselines_as_good_as_the_model_are_named(flagship: Scores) -> None:
    near = Comparison("tfidf", "f1", "frames", "macro", 0.01, -0.01, 0.03, 0.4)
    far = Comparison("keywords", "f1", "frames", "macro", 0.2, 0.1, 0.3, 0.002)
    people = Comparison("coders", "f1", "frames", "macro", -0.2, -0.3, -0.1, 0.002)
    found = warnings(View(replace(flagship, comparisons=(near, far, people))))
    assert [w for w in found if "not better" in w] == [
        "Frames: the model is not better than this baseline by more than chance explains: TF-IDF."
    ]


def test_undefined_figures_are_grouped_by_reason(flagship: Scores) -> None:
    scores = (
        Score("precision", "frames", "frames", "nato_concerns", None, None, None, 0, "absent"),
        Score("f1", "frames", "frames", "nato_concerns", None, None, None, 0, "absent"),
        Score("kappa", "holder", "holder", "", None, None, None, 0),
    )
    model = replace(flagship.systems[0], scores=scores)
    found = warnings(View(replace(flagship, systems=(model,))))
    assert "Undefined (absent): Frames / NATO concerns: Precision, F1." in found
    assert "Undefined (no reason is recorded): Holder: Cohen's kappa." in found


def test_one_coder_is_a_warning() -> None:
    found = warnings(View(examples.without_coders()))
    assert any(w.startswith("The data have 1 coder,") for w in found)
