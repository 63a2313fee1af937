"""`rollout accelerators`: the rows, and the table they make."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from inference_rollouts.accelerators import machine_types
from inference_rollouts.cli.accelerators import render, rows
from tests.cli.command import command


def printed(pattern: str | None, **console) -> list[str]:
    out = io.StringIO()
    render(rows(pattern), Console(file=out, **console))
    return out.getvalue().splitlines()


def row(machine_type: str) -> dict:
    return next(row for row in rows(None) if row["machineType"] == machine_type)


def test_there_is_one_row_per_machine_type_in_the_order_of_the_catalogue():
    assert [(r["accelerator"], r["machineType"], r["count"]) for r in rows(None)] == [
        (m.accelerator, m.name, m.count)
        for name in dict.fromkeys(r["accelerator"] for r in rows(None))
        for m in machine_types(name)
    ]
    assert len(rows(None)) == len(machine_types())


def test_a_row_says_what_the_machine_type_has_and_costs():
    assert rows("g2-standard-48") == [
        {
            "accelerator": "nvidia-l4",
            "machineType": "g2-standard-48",
            "count": 4,
            "memoryGbPerAccelerator": 24,
            "memoryGbTotal": 96,
            "vcpu": 48,
            "cpuArch": "amd64",
            "topologies": [],
            "consumption": ["on-demand", "spot", "flex-start", "reservation"],
            "refused": None,
            "gkeMin": [],
            "onDemandUsdHour": 4.001665,
            "spotUsdHour": 2.249632,
            "priceDate": "2026-07-30",
            "priceRegion": "us-central1",
            "priceSource": "price-cy",
            "note": None,
        }
    ]


def test_rows_are_plain_json():
    assert json.loads(json.dumps(rows(None))) == rows(None)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("RTX-pro", {"nvidia-rtx-pro-6000"}),
        ("nvidia-h100-*", {"nvidia-h100-80gb", "nvidia-h100-mega-80gb"}),
        ("a3-megagpu-8g", {"nvidia-h100-mega-80gb"}),
        ("trillium", {"tpu-v6e-slice"}),
        ("tpu?x", {"tpu7x"}),
        ("gaudi", set()),
    ],
)
def test_a_pattern_finds_accelerators_by_name_title_or_machine_type(pattern, found):
    assert {r["accelerator"] for r in rows(pattern)} == found


def test_any_version_and_an_unknown_version_are_not_the_same():
    assert row("g2-standard-4")["gkeMin"] == []
    assert row("a3-highgpu-8g")["gkeMin"] is None
    assert row("g4-standard-6")["gkeMin"] == ["1.34.5-gke.1153000", "1.35.2-gke.1485000"]


def test_a_price_that_nobody_can_buy_at_is_not_shown():
    spot_only = row("a3-highgpu-1g")
    assert (spot_only["onDemandUsdHour"], spot_only["spotUsdHour"]) == (None, 6.326193)


def test_a_row_without_a_price_has_no_date_of_one():
    b200 = row("a4-highgpu-8g")
    assert {b200[key] for key in ("onDemandUsdHour", "spotUsdHour", "priceDate", "priceSource")} == {None}


def test_the_piped_table_is_plain_and_not_wrapped():
    assert printed("g4-standard-*", width=40)[:3] == [
        "accelerator          machine type     count  GB each   GB  vCPU  consumption  "
        "GKE from                                USD/h  spot USD/h  price of",
        "nvidia-rtx-pro-6000  g4-standard-6        1       12   12     6  any          "
        "1.34.5-gke.1153000, 1.35.2-gke.1485000   0.56        0.22  2026-07-30",
        "nvidia-rtx-pro-6000  g4-standard-12       1       24   24    12  any          "
        "1.34.5-gke.1153000, 1.35.2-gke.1485000   1.12        0.45  2026-07-30",
    ]


def test_the_piped_table_does_not_depend_on_the_width_of_anything():
    assert printed(None, width=40) == printed(None, width=400)


@pytest.mark.parametrize("width", [20, 80, 130, 400])
def test_every_row_is_one_whole_line_on_any_terminal(width):
    lines = printed(None, width=width, force_terminal=True, color_system=None)
    for line, found in zip(lines[1:], rows(None), strict=False):
        assert line.split()[:2] == [found["accelerator"], found["machineType"]]
        assert line.split()[-1] == (found["priceDate"] or ("undated" if found["priceSource"] else "-"))
    assert not any("…" in line for line in lines)


def test_the_footnote_tells_the_date_of_the_data_and_where_the_prices_are_from():
    assert printed("nvidia-h100-mega-80gb")[-3:] == [
        "consumption any: on-demand, spot, flex-start or reservation",
        "Data as of 2026-09. List prices per node and hour, from:",
        "  Cyclenerd/google-cloud-pricing-cost-calculator dac3128 pricing.yml, generated 2026-07-30 (asia-northeast1)",
    ]
    assert printed("a3-*")[-2] == (
        "  Cyclenerd/google-cloud-pricing-cost-calculator dac3128 pricing.yml, generated 2026-07-30 "
        "(us-central1; asia-northeast1 for a3-megagpu-8g)"
    )


def test_without_any_price_the_footnote_says_so():
    assert printed("tpu7x")[-1] == "Data as of 2026-09. No prices found."


def test_what_cannot_serve_is_listed_with_its_reason():
    lines = printed("p100")
    assert " ".join(lines[1].split()) == "nvidia-tesla-p100 n1-* 1 16 16 up to 16 not for serving any - - -"
    assert lines[-2] == ("nvidia-tesla-p100 cannot serve: its compute capability 6.0 is below 7.0, the least that vLLM runs on")


def test_finding_nothing_is_one_sentence_and_exit_code_1():
    ended = command("accelerators", "gaudi")

    assert (ended.code, ended.out, ended.err) == (1, "", "no accelerator or machine type matches gaudi\n")
    assert command("accelerators", "a3-highgpu-9g").err.startswith(
        "no accelerator or machine type matches a3-highgpu-9g; did you mean a3-highgpu-"
    )


def test_finding_nothing_is_an_empty_list_for_a_program_and_still_exit_code_1():
    ended = command("accelerators", "gaudi", "--json")

    assert (ended.code, ended.document) == (1, [])
