"""Freeze windows, with the clock passed in."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from inference_rollouts.windows import Freeze, check_bound, zone

HOLIDAYS = Freeze("2026-12-20", "2027-01-02", "Europe/Berlin", "holidays")
WEEKEND = Freeze("Fri 18:00", "Mon 08:00", "Europe/Berlin", "nobody is here")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "inside"),
    [
        ("2026-12-19 22:59", False),
        ("2026-12-19 23:00", True),  # midnight in Berlin
        ("2026-12-25 12:00", True),
        ("2027-01-02 22:59", True),  # the last day counts as a whole
        ("2027-01-02 23:00", False),
    ],
)
def test_a_window_of_dates_holds_from_the_first_to_the_end_of_the_last_day_in_its_own_time_zone(now, inside):
    assert HOLIDAYS.holds(at(now)) is inside


@pytest.mark.parametrize(
    ("now", "inside"),
    [
        ("2026-11-27 16:59", False),  # a Friday; Berlin is an hour ahead
        ("2026-11-27 17:00", True),
        ("2026-11-29 12:00", True),
        ("2026-11-30 06:59", True),
        ("2026-11-30 07:00", False),
        ("2026-11-25 12:00", False),
    ],
)
def test_a_weekly_window_reaches_over_the_end_of_the_week(now, inside):
    assert WEEKEND.holds(at(now)) is inside


@pytest.mark.parametrize(
    ("start", "end", "inside"),
    [
        ("2026-10-25 02:30", "2026-10-26", [False, True, True, True]),
        ("Sun 02:30", "Sun 12:00", [False, True, True, True]),
        ("Fri 18:00", "Sun 02:30", [True, True, True, False]),
    ],
)
def test_the_hour_that_comes_twice_at_the_end_of_summer_time_is_inside_as_a_whole(start, end, inside):
    """In Berlin 02:00 to 03:00 is from 00:00 to 01:00 UTC, and again from 01:00 to 02:00 UTC."""
    window = Freeze(start, end, "Europe/Berlin", "the clocks change")

    times = ("00:29", "00:31", "01:10", "01:31")
    assert [window.holds(at(f"2026-10-25 {clock}")) for clock in times] == inside


def test_a_weekly_window_of_one_whole_day_holds_on_that_day_alone():
    sunday = Freeze("Sun", "Sun", "UTC", "rest")

    assert [sunday.holds(at(f"2026-11-{day} 12:00")) for day in (28, 29, 30)] == [False, True, False]


def test_a_window_of_hours_between_dates_ends_at_its_minute():
    launch = Freeze("2026-11-24 09:00", "2026-11-24 17:30", "UTC", "launch")

    assert [launch.holds(at(f"2026-11-24 {clock}")) for clock in ("08:59", "09:00", "17:29", "17:30")] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("text", ["Friday", "fri", "2026-13-01", "2026-12-20T18:00", "Fri 25:00", "Fri 18", "", "12:00"])
def test_a_bound_that_is_no_time_says_what_is_allowed(text):
    with pytest.raises(ValueError, match="is no time: a date"):
        check_bound(text)


def test_an_unknown_time_zone_says_what_is_allowed():
    with pytest.raises(ValueError, match="is no time zone: an IANA name, as Europe/Berlin or UTC"):
        zone("Berlin")
