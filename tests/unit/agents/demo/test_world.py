from itertools import islice

import pytest

from agents.cli.demo import _empty
from agents.demo.world import HOUR_MS, is_demonstration, scenario, write_settings
from agents.settings import load
from schemas.errors import InvalidSetting
from streams.simulation.traffic import Traffic


@pytest.mark.parametrize("now_ms", [1_795_442_400_000 + hour * HOUR_MS + 1 for hour in range(0, 48, 5)])
def test_the_simulated_half_day_is_just_over(now_ms):
    world = scenario(400, 12, 7, now_ms)
    assert world.end_ms <= now_ms < world.end_ms + HOUR_MS
    assert world.end_ms - world.start_ms == 12 * HOUR_MS


def test_a_seed_takes_the_same_course_at_any_time_of_the_day():
    courses = []
    for now_ms in (1_795_442_400_000, 1_795_442_400_000 + 7 * HOUR_MS):
        world = scenario(50, 12, 7, now_ms)
        records = islice(Traffic(world), 500)
        courses.append([(record.key, record.time_ms - world.start_ms) for record in records])
    assert courses[0] == courses[1]


def test_a_world_too_small_for_a_crowd_has_no_hydra():
    now_ms = 1_795_442_400_001
    assert [one.name for one in scenario(1500, 12, 7, now_ms).campaigns][-1] == "hydra"
    assert [one.name for one in scenario(60, 12, 7, now_ms).campaigns][-1] == "templated"


def test_its_settings_keep_to_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = load(write_settings(tmp_path))
    assert settings.data_dir == tmp_path
    assert settings.bus.url == "embedded:"
    assert str(tmp_path) in settings.store_dsn
    assert is_demonstration(tmp_path)


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InvalidSetting, match="other things"):
        _empty(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_an_earlier_demonstration_makes_room(tmp_path):
    write_settings(tmp_path)
    (tmp_path / "clickhouse").mkdir()
    _empty(tmp_path)
    assert list(tmp_path.iterdir()) == []
