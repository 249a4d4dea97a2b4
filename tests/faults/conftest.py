"""What the tests of faults share: a workshop, with a fake server in its own process."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.faults.campaign import workshop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.worlds import Workshop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """Where worlds come from."""
    with workshop(tmp_path_factory.mktemp("faults")) as made:
        yield made


@pytest.fixture(scope="module")
def injecting_shop(shop: Workshop) -> Workshop:
    """A workshop that can inject faults."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler (cc): faults cannot be injected")
    return shop
