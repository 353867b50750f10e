import pytest

from schemas.atlas import TECHNIQUES, technique
from schemas.errors import Fatal


def test_every_sub_technique_has_its_parent_and_its_tactic():
    for entry in TECHNIQUES.values():
        if entry.parent_id is not None:
            assert entry.id.startswith(entry.parent_id + ".")
            assert TECHNIQUES[entry.parent_id].tactic == entry.tactic


def test_the_id_tells_whether_it_is_a_sub_technique():
    for entry in TECHNIQUES.values():
        assert (entry.id.count(".") == 2) == (entry.parent_id is not None)


def test_unknown_id_names_itself_and_the_place_to_add_it():
    with pytest.raises(Fatal, match=r"AML\.T9999.*schemas/atlas\.py"):
        technique("AML.T9999")


def test_urls_lead_to_the_site_of_atlas():
    entry = technique("AML.T0024.002")
    assert entry.url == "https://atlas.mitre.org/techniques/AML.T0024.002"
    assert entry.mitigations[0].url == "https://atlas.mitre.org/mitigations/AML.M0004"
