"""Prices: of a file, with who asks them and when; never a silent one."""

import pytest

from evalkit.base.errors import ConfigError, UsageError
from evalkit.perf.prices import fitting, prices

H100 = {"gpu": "H100", "price": 3.29, "currency": "USD", "source": "a list", "date": "2026-11-27"}


def test_the_price_of_the_hardware_is_found_by_a_part_of_its_name():
    found = prices({"price": [H100, {**H100, "gpu": "A100", "price": 1.79}]}, "prices.toml")
    fits = fitting(found, "NVIDIA H100 80GB HBM3", "prices.toml")
    assert fits.words == "3.29 USD an hour of H100 (a list, 2026-11-27)"
    with pytest.raises(UsageError, match="no price of 'cpu'"):
        fitting(found, "cpu", "prices.toml")


def test_a_whole_name_goes_before_a_part_and_two_parts_are_one_too_many():
    found = prices({"price": [H100, {**H100, "gpu": "NVIDIA H100", "price": 2.0}]}, "prices.toml")
    assert fitting(found, "NVIDIA H100", "prices.toml").price == 2.0
    with pytest.raises(UsageError, match="several prices fit"):
        fitting(found, "NVIDIA H100 80GB HBM3", "prices.toml")


@pytest.mark.parametrize("change", [{"price": 0.0}, {"source": ""}, {"date": " "}, {"currency": ""}, {"when": "now"}])
def test_a_price_without_its_source_is_none(change):
    with pytest.raises(ConfigError):
        prices({"price": [{**H100, **change}]}, "prices.toml")
