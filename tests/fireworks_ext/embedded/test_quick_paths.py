"""What the store does by itself in place of mongomock has mongomock's outcome."""

from typing import Any

import bson
import mongomock
from hypothesis import given, settings
from hypothesis import strategies as st
from mongomock.collection import Collection

from fireworks_ext.embedded.projection import compiled
from fireworks_ext.embedded.updates import Update

scalars = st.one_of(
    st.none(), st.integers(-3, 3), st.floats(-2, 2), st.booleans(), st.sampled_from(["", "a", "é"])
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from(["a", "b", "0"]), inner, max_size=2),
        st.lists(inner, max_size=2),
    ),
    max_leaves=4,
)
documents = st.dictionaries(st.sampled_from(["a", "b", "c"]), values, max_size=3)
paths = st.sampled_from(["a", "b", "c", "a.b", "a.a", "b.0", "b.a.b", "c.0.a", "d.e.a", "a.1"])
changes = st.dictionaries(
    st.sampled_from(["$set", "$unset", "$inc", "$push", "$setOnInsert", "$addToSet", "$max"]),
    st.dictionaries(paths, st.one_of(values, st.integers(-3, 3)), min_size=1, max_size=2),
    min_size=1,
    max_size=3,
)
projections = st.one_of(
    st.dictionaries(paths | st.just("_id"), st.sampled_from([0, 1, True, False]), max_size=3),
    st.lists(paths, min_size=1, max_size=3),
)

theirs_to_ask: Collection = mongomock.MongoClient()["db"]["c"]


def stored(document: Any) -> Any:
    """Return a document as it comes back from the store."""
    return bson.decode(bson.encode(document))


def plain(value: Any) -> Any:
    """Return a value with its types told apart: True, 1 and 1.0 are equal in Python."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return (type(value), value)


def mongomocks(document: Any, update: Any, *, inserted: bool) -> Any:
    """Return what mongomock makes of a document, or None if that is an error."""
    copy = stored(document)
    try:
        theirs_to_ask._apply_update_document(copy, {}, stored(update), inserted)
    except Exception:  # noqa: BLE001 - whatever it raises: the quick path must leave it alone
        return None
    return stored(copy)


@settings(max_examples=1000, deadline=None)
@given(document=documents, update=changes, inserted=st.booleans())
def test_a_quick_update_makes_of_a_document_what_mongomock_makes_of_it(
    document: Any,
    update: Any,
    inserted: bool,  # noqa: FBT001
) -> None:
    ours = stored(document)
    if Update(update).applied(ours, inserted=inserted):
        assert plain(ours) == plain(mongomocks(document, update, inserted=inserted))


@given(document=documents, update=changes)
def test_an_update_names_every_field_that_it_changes(document: Any, update: Any) -> None:
    fields = Update(update).fields
    after = mongomocks(document, update, inserted=True)
    if fields is None or after is None:
        return
    roots = {name.split(".")[0] for name in fields}
    for name in {*document, *after} - roots:
        assert stored(document).get(name) == after.get(name)


def test_the_usual_updates_are_quick() -> None:
    document = {"spec": {"x": 1}, "n": 1, "list": []}
    update = {
        "$set": {"spec.y": 2, "state": "RUNNING"},
        "$unset": {"spec.x": ""},
        "$inc": {"n": 1},
        "$push": {"list": 3},
        "$setOnInsert": {"new": True},
    }
    assert Update(update).applied(document, inserted=False)
    assert document == {"spec": {"y": 2}, "state": "RUNNING", "n": 2, "list": [3]}


def test_an_update_is_independent_of_what_it_was_given() -> None:
    given_list = [1]
    update = Update({"$set": {"a": given_list}})
    given_list.append(2)
    document: dict[str, Any] = {}
    assert update.applied(document, inserted=False)
    assert document == {"a": [1]}


@settings(max_examples=1000, deadline=None)
@given(document=documents, projection=projections)
def test_a_quick_projection_chooses_what_mongomock_chooses(document: Any, projection: Any) -> None:
    quick = compiled(projection)
    ours = quick({"_id": 7, **stored(document)}) if quick else None
    if ours is not None:
        copy = dict(projection) if isinstance(projection, dict) else projection
        theirs = theirs_to_ask._copy_only_fields({"_id": 7, **stored(document)}, copy, dict)
        assert plain(ours) == plain(theirs)


def test_the_usual_projections_are_quick() -> None:
    document = {"_id": 1, "spec": {"x": 1, "y": {"z": 2}}, "state": "READY", "n": 3}
    for projection, expected in [
        ({"state": 1, "_id": 0}, {"state": "READY"}),
        ({"spec.y.z": True}, {"_id": 1, "spec": {"y": {"z": 2}}}),
        ({"spec": 0, "n": 0}, {"_id": 1, "state": "READY"}),
        (["n", "missing"], {"_id": 1, "n": 3}),
    ]:
        quick = compiled(projection)
        assert quick is not None
        assert quick(document) == expected
