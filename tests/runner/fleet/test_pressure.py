"""The patience with a queue that takes no more."""

from runner.fleet.pressure import FIRST_WAIT_S, LONGEST_WAIT_S, Pressure


def test_nothing_is_in_the_way_at_first():
    assert Pressure().may_ask(0.0)
    assert Pressure().words is None


def test_every_refusal_doubles_the_wait_up_to_the_longest():
    pressure, now, waits = Pressure(), 1000.0, []
    for _ in range(2000):
        pressure = pressure.refused("QOSMaxSubmitJobPerUserLimit", for_now=True, now=now)
        waits.append(pressure.ask_at - now)
        assert not pressure.may_ask(pressure.ask_at - 0.1)
        now = pressure.ask_at
        assert pressure.may_ask(now)
    assert waits[:3] == [FIRST_WAIT_S, 2 * FIRST_WAIT_S, 4 * FIRST_WAIT_S]
    assert set(waits[6:]) == {LONGEST_WAIT_S}
    assert pressure.words == "QOSMaxSubmitJobPerUserLimit"


def test_a_job_that_is_taken_ends_the_patience():
    pressure = Pressure().refused("limit", for_now=True, now=0.0).taken()
    assert pressure == Pressure()


def test_after_the_end_of_a_job_it_is_asked_at_once_and_then_waited_for_longer():
    pressure = Pressure().refused("limit", for_now=True, now=0.0).eased()
    assert pressure.may_ask(1.0)
    assert pressure.words == "limit"
    assert pressure.refused("limit", for_now=True, now=1.0).ask_at == 1.0 + 2 * FIRST_WAIT_S


def test_a_refusal_for_good_is_tried_again_after_the_longest_wait():
    pressure = Pressure().refused("invalid account", for_now=False, now=0.0)
    assert not pressure.may_ask(LONGEST_WAIT_S - 1.0)
    assert pressure.may_ask(LONGEST_WAIT_S)
