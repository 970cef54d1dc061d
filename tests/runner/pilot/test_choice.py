from hypothesis import given
from hypothesis import strategies as st

from runner.pilot.choice import PATIENCE_S, Busy, Offer, Seat, choose, is_out_of_time

CORES = 8
OFFERS = st.lists(
    st.builds(
        Offer,
        name=st.uuids().map(str),
        cores=st.integers(1, 10),
        memory_gb=st.none() | st.floats(0.1, 40.0),
        expected_s=st.floats(1.0, 1000.0),
        high_s=st.floats(1.0, 3000.0),
        continues=st.booleans(),
        waited_s=st.sampled_from([0.0, 10.0, PATIENCE_S, 10 * PATIENCE_S]),
        gpus=st.integers(0, 3),
        alone=st.booleans(),
    ),
    max_size=12,
)
BUSY = st.lists(st.builds(Busy, st.integers(1, 2), st.floats(0.0, 4.0), st.floats(-10, 900.0)))
SEATS = st.builds(
    Seat,
    cores=st.just(CORES),
    memory_gb=st.none() | st.just(32.0),
    left_s=st.none() | st.floats(-10.0, 2000.0),
    whole_s=st.none() | st.just(2000.0),
    gpus=st.none() | st.just(2),
)


def names(offers: list[Offer]) -> list[str]:
    return [one.name for one in offers]


@given(OFFERS, BUSY, SEATS)
def test_what_starts_fits_into_what_is_free(
    offers: list[Offer], busy: list[Busy], seat: Seat
) -> None:
    start = choose(offers, busy, seat).start
    assert len(set(names(start))) == len(start)
    cores = sum(one.cores for one in busy)
    memory_gb = sum(one.memory_gb for one in busy)
    if any(one.alone for one in start):
        assert len(start) == 1
        assert not busy
    assert sum(one.gpus > 0 for one in start) <= (1 if seat.gpus is None else seat.gpus)
    for one in start:
        cores += one.cores
        memory_gb += seat.memory_of(one)
        assert cores <= seat.cores
        assert seat.memory_gb is None or memory_gb <= seat.memory_gb * (1 + 1e-9)


@given(OFFERS, BUSY, SEATS)
def test_nothing_starts_that_would_not_end_but_what_no_job_is_long_enough_for(
    offers: list[Offer], busy: list[Busy], seat: Seat
) -> None:
    for one in choose(offers, busy, seat).start:
        if seat.left_s is not None and one.high_s > seat.left_s:
            whole_s = seat.whole_s or seat.left_s
            assert one.high_s > whole_s
            assert seat.left_s > 0.8 * whole_s


@given(OFFERS, SEATS)
def test_an_empty_machine_takes_something_if_there_is_anything_for_it(
    offers: list[Offer], seat: Seat
) -> None:
    start = choose(offers, [], seat).start
    possible = [one for one in offers if seat.is_large_enough(one) and seat.is_long_enough(one)]
    assert bool(start) == bool(possible)
    if is_out_of_time(offers, seat):
        assert not start


@given(OFFERS, BUSY, SEATS)
def test_whatever_the_order_of_the_offers_the_same_starts(
    offers: list[Offer], busy: list[Busy], seat: Seat
) -> None:
    # Of two that have waited equally long the order decides, so each has waited its own time.
    some = [
        Offer(**{**vars(one), "waited_s": one.waited_s + number})
        for number, one in enumerate(offers)
    ]
    assert choose(some, busy, seat) == choose(some[::-1], busy, seat)


def test_the_longest_goes_first_and_shorter_ones_fill_the_rest() -> None:
    offers = [
        Offer("short", expected_s=1.0),
        Offer("long", cores=3, expected_s=100.0),
        Offer("wide", cores=2, expected_s=50.0),
    ]
    choice = choose(offers, [], Seat(cores=4))
    assert names(choice.start) == ["long", "short"]
    assert names(choice.passed_over) == ["wide"]


def test_without_memory_of_its_own_a_stage_takes_its_cores_share() -> None:
    seat = Seat(cores=4, memory_gb=16.0)
    large = Offer("large", memory_gb=9.0, expected_s=2.0)
    small = [Offer(str(number)) for number in range(3)]
    assert names(choose([large, *small], [], seat).start) == ["large", "0"]
    assert not choose([Offer("larger", memory_gb=17.0)], [], seat).start


def test_a_wide_stage_that_was_passed_over_for_long_is_not_passed_over_for_ever() -> None:
    wide = Offer("wide", cores=4, expected_s=5.0, high_s=9.0, waited_s=PATIENCE_S)
    narrow = Offer("narrow", expected_s=20.0, high_s=30.0)
    brief = Offer("brief", expected_s=1.0, high_s=2.0)
    busy = [Busy(1, 0.0, 10.0)]
    # Ten seconds from now the wide one starts: a stage that ends before may go first.
    assert names(choose([wide, narrow, brief], busy, Seat(cores=4)).start) == ["brief"]
    assert names(choose([wide, narrow], [], Seat(cores=4)).start) == ["wide"]


def test_beside_cores_that_are_reserved_others_are_used() -> None:
    wide = Offer("wide", cores=3, waited_s=PATIENCE_S)
    narrow = Offer("narrow", expected_s=500.0, high_s=900.0)
    busy = [Busy(2, 0.0, 10.0)]
    assert names(choose([wide, narrow], busy, Seat(cores=4)).start) == ["narrow"]


def test_nothing_is_reserved_for_a_stage_that_will_have_no_time_then() -> None:
    wide = Offer("wide", cores=4, high_s=90.0, waited_s=PATIENCE_S)
    narrow = Offer("narrow", high_s=90.0)
    seat = Seat(cores=4, left_s=100.0, whole_s=1000.0)
    assert names(choose([wide, narrow], [Busy(1, 0.0, 20.0)], seat).start) == ["narrow"]


def test_what_is_too_long_for_any_job_starts_in_a_fresh_one() -> None:
    endless = Offer("endless", expected_s=5000.0, high_s=9000.0, continues=True)
    lost = Offer("lost", expected_s=4000.0, high_s=9000.0)
    unsure = Offer("unsure", expected_s=500.0, high_s=9000.0)
    offers = [endless, lost, unsure]
    fresh, worn = (Seat(cores=4, left_s=left, whole_s=1000.0) for left in (900.0, 700.0))
    assert names(choose(offers, [], fresh).start) == ["endless", "lost", "unsure"]
    assert not choose(offers, [], worn).start
    assert is_out_of_time(offers, worn)


def test_a_machine_that_is_too_small_is_not_out_of_time() -> None:
    assert not is_out_of_time([Offer("wide", cores=8)], Seat(cores=4, left_s=100.0))
    assert not is_out_of_time([], Seat(cores=4, left_s=0.0))


def test_beside_a_stage_that_is_to_run_alone_nothing_runs() -> None:
    seat = Seat(cores=4, memory_gb=16.0)
    hungry = Offer("hungry", memory_gb=2.0, expected_s=9.0, alone=True)
    small = Offer("small", memory_gb=1.0)
    assert names(choose([hungry, small], [], seat).start) == ["hungry"]
    assert not choose([small], [seat.held_by(hungry, 9.0)], seat).start
    assert names(choose([hungry, small], [Busy(1, 1.0, 5.0)], seat).start) == ["small"]
    assert not seat.is_large_enough(Offer("huge", memory_gb=17.0, alone=True))
    # Nor where nobody knows how much memory there is.
    assert names(choose([hungry, small], [], Seat(cores=4)).start) == ["hungry"]


def test_stages_with_gpus_share_those_that_are_known_and_take_turns_at_others() -> None:
    offers = [Offer(name, gpus=2, expected_s=9.0) for name in "abc"] + [Offer("d")]
    assert names(choose(offers, [], Seat(cores=8, gpus=4)).start) == ["a", "b", "d"]
    assert names(choose(offers, [], Seat(cores=8)).start) == ["a", "d"]
    assert not Seat(cores=8, gpus=1).is_large_enough(offers[0])
