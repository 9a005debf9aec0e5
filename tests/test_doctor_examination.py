"""The results that an examination collects, and the signatures of its checks."""

import inspect

from seq2seq.diagnosis.array_checks import ARRAY_CHECKS
from seq2seq.diagnosis.examination import Examination
from seq2seq.diagnosis.examining_models import MODEL_CHECKS, RUNNING_CHECKS, STEPPER_CHECKS
from seq2seq.diagnosis.report import Examined, NotExamined, Settled, finding


def test_each_result_has_its_place_in_the_report():
    found = Examination(inferred=["END is id 2"])
    found.add(
        finding("D12", "harmful", {}), NotExamined("the loss"), Examined("arrays", 3), finding("D01", "broken", {})
    )
    report = found.report()
    assert report.codes == ["D01", "D12"]
    assert (report.inferred, report.not_examined, report.examined) == (["END is id 2"], ["the loss"], {"arrays": 3})


def test_a_settled_code_drops_earlier_findings_and_keeps_later_ones():
    found = Examination()
    found.add(finding("D04", "harmful", {"by": "arrays"}), finding("D15", "note", {}))
    found.add(Settled("D04"))
    assert found.report().codes == ["D15"]
    found.add(Settled("D04"), finding("D04", "harmful", {"by": "loss"}))
    assert [one.evidence for one in found.findings if one.code == "D04"] == [{"by": "loss"}]


def test_a_check_that_fails_is_named_and_the_others_continue():
    def fails():
        raise RuntimeError("no kernel\nfor this")

    found = Examination()
    found.attempt("the loss (D04)", fails)
    found.attempt("loops (D14)", lambda: [finding("D14", "harmful", {})])
    assert found.not_examined == ["the loss (D04): it failed with RuntimeError: no kernel"]
    assert found.report().codes == ["D14"]


def test_checks_take_the_parameter_of_their_table():
    for check in ARRAY_CHECKS:
        assert list(inspect.signature(check).parameters) == ["data"]
    for check in (*MODEL_CHECKS, *STEPPER_CHECKS, *RUNNING_CHECKS):
        assert list(inspect.signature(check.run).parameters) == ["sample"]
