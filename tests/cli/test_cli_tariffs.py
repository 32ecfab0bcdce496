"""Tariffs come with the Locations that name them, and are listed as partners see them."""

import re
from typing import Any

import pytest

from gateway.store import rows
from tests.cli.conftest import Operator
from tests.support.tariffs import element, tariff

File = dict[str, Any]


def priced(whole: File, *tariffs: File, ids: tuple[str, ...] = ("T-1",)) -> File:
    whole["locations"][0]["evses"][0]["connectors"][0]["tariff_ids"] = list(ids)
    return whole | {"tariffs": list(tariffs)}


def test_tariffs_are_brought_in_and_counted(cpo: Operator, whole: File) -> None:
    result = cpo.imports(priced(whole, tariff("T-1"), tariff("T-2")))
    assert "4 bindings, 2 tariffs.\n" in result.stdout
    assert "  added tariff NL*CPO T-2\n" in result.stdout
    assert result.stderr == ""
    assert cpo.sees("tariffs", "list") == [tariff("T-1"), tariff("T-2")]


def test_importing_them_again_changes_nothing_and_another_price_is_the_price(cpo: Operator, whole: File) -> None:
    def everything() -> Any:
        return cpo.database(lambda db: [dict(row) for row in db.execute(rows.tariff.select()).mappings()])

    cpo.imports(priced(whole, tariff("T-1")))
    first = everything()
    assert cpo.imports(priced(whole, tariff("T-1"))).exit_code == 0
    assert everything() == first
    cpo.imports({"tariffs": [tariff("t-1", element(("FLAT", 2)))]})
    [row] = everything()
    assert (row["id"], row["body"]["elements"][0]["price_components"][0]["price"]) == (first[0]["id"], 2.0)


def test_a_tariff_that_is_not_there_is_remarked_upon(cpo: Operator, whole: File) -> None:
    result = cpo.imports(priced(whole, tariff("T-1"), ids=("t-1", "T-9")))
    assert result.exit_code == 0
    assert result.stderr == "No Tariff is known of these tariff_ids: T-9. They are no price.\n"
    assert cpo.imports({"tariffs": [tariff("T-9")]}).stderr == ""


@pytest.mark.parametrize(
    ("spoilt", "sentence"),
    [
        ([tariff("T-1"), tariff("t-1")], 'tariffs[1].id: "t-1" is tariffs[0] too'),
        ([tariff("T-1", party_id="XXX")], "tariffs[0].party_id: NL*XXX is none of our parties (NL*CPO)"),
        ([tariff("T-1"), tariff("T-2", elements=[])], "tariffs[1].elements: "),
        ([tariff("T-1", element(("GAS", 1)))], "tariffs[0].elements[0].price_components[0].type: "),
        ([tariff("T-1", element(("FLAT", 1), start_time="25:00"))], "tariffs[0].elements[0].restrictions.start_time: "),
        ([tariff("T-1", last_updated="today")], "tariffs[0].last_updated: "),
        ([7], "tariffs[0]: "),
        ([tariff("T-1", element(("ENERGY", 0), max_kWh=10))], "tariffs[0].elements[0].restrictions.max_kWh: not known"),
        (
            [tariff("T-1", element(("ENERGY", 1)) | {"restriction": {}})],
            "tariffs[0].elements[0].restriction: not known",
        ),
        ([tariff("T-1", max_prize={"excl_vat": 1})], "tariffs[0].max_prize: not known"),
        ([tariff("T-1", max_price={"excl_vat": 1, "vat": 21})], "tariffs[0].max_price.vat: not known"),
        (
            [tariff("T-1", elements=[{"price_components": [{"type": "FLAT", "price": 1, "step_size": 1, "vta": 21}]}])],
            "tariffs[0].elements[0].price_components[0].vta: not known",
        ),
        ([tariff("T-1", element(("ENERGY", 0.12345)))], "tariffs[0].elements[0].price_components[0].price: "),
        ([tariff("T-1", min_price={"excl_vat": 0.00001})], "tariffs[0].min_price.excl_vat: "),
        ([tariff("T-1", element(("ENERGY", 1), max_power=0.00001))], "tariffs[0].elements[0].restrictions.max_power: "),
        ([tariff("T-1", currency="eur")], "tariffs[0].currency: "),
        ([tariff("T-1", currency="€")], "tariffs[0].currency: "),
    ],
)
def test_what_is_wrong_with_a_tariff_is_told_with_its_place(
    cpo: Operator, whole: File, spoilt: list[Any], sentence: str
) -> None:
    said = cpo.hears("locations", "import", cpo.file(priced(whole, *spoilt)))
    problems = [line.strip().partition(": ") for line in said.splitlines()[1:]]
    assert all(re.fullmatch(r"line \d+, column \d+", place) for place, _, _ in problems)
    assert any(problem.startswith(sentence) for _, _, problem in problems)
    assert cpo.sees("tariffs", "list") == cpo.sees("locations", "list") == []


def test_what_has_nothing_to_do_with_a_price_may_be_there(cpo: Operator) -> None:
    told = tariff("T-1", element(("ENERGY", 0.1234)), tariff_alt_text=[{"language": "en", "text": "Cheap", "x": 1}])
    assert cpo.imports({"tariffs": [told | {"x_internal": 7}]}).exit_code == 1
    assert cpo.imports({"tariffs": [told]}).exit_code == 0


@pytest.mark.parametrize("zone", ["Europe/Amsterdm", "Europe", "", "../etc/passwd", "CEST"])
def test_a_time_zone_that_nobody_knows_is_refused(cpo: Operator, whole: File, zone: str) -> None:
    whole["locations"][1]["time_zone"] = zone
    said = cpo.hears("locations", "import", cpo.file(whole))
    assert f'locations[1].time_zone: "{zone}" is no name of the IANA time zone database' in said
    assert cpo.sees("locations", "list") == []


def test_without_a_party_of_ours_there_is_nobody_whose_price_it_is(operator: Operator) -> None:
    assert "cpo add" in operator.hears("locations", "import", operator.file({"tariffs": [tariff("T-1")]}))


def test_the_table_tells_prices_and_which_of_them_apply_at_times(cpo: Operator) -> None:
    assert cpo.does("tariffs", "list").startswith("There is no Tariff yet")
    told = tariff("T-1", element(("TIME", 2.5), day_of_week=["SUNDAY"]), element(("ENERGY", 0.25)), type="REGULAR")
    cpo.imports({"tariffs": [told]})
    assert "TIME 2.5*, ENERGY 0.25" in cpo.does("tariffs", "list")
