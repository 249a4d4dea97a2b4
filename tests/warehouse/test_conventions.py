"""Conventions of the dbt project, read from the manifest of a complete build."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.dbt_project import REPOSITORY, dbt_environment, run_dbt

PREFIXES = {"staging": ("stg_",), "intermediate": ("int_",), "marts": ("dim_", "fct_")}


@pytest.fixture(scope="module")
def manifest(built_warehouse: Path) -> dict[str, Any]:
    return json.loads((built_warehouse.parent / "target" / "manifest.json").read_text())


@pytest.fixture(scope="module")
def models(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    found = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    assert found
    return found


@pytest.fixture(scope="module")
def marts(models: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = [model for model in models if layer(model) == "marts"]
    assert found
    return found


def layer(model: dict[str, Any]) -> str:
    """The folder of `models/` that the model is in."""
    return Path(model["path"]).parts[0]


def test_every_model_is_named_after_its_layer(models: list[dict[str, Any]]) -> None:
    assert {layer(model) for model in models} == set(PREFIXES)
    assert [
        model["path"] for model in models if not model["name"].startswith(PREFIXES[layer(model)])
    ] == []


def test_every_mart_has_an_enforced_contract(marts: list[dict[str, Any]]) -> None:
    assert [m["name"] for m in marts if not m["config"]["contract"]["enforced"]] == []


def test_every_mart_is_in_the_schema_that_readers_know(marts: list[dict[str, Any]]) -> None:
    assert {mart["schema"] for mart in marts} == {"marts"}


def test_every_model_has_a_description(models: list[dict[str, Any]]) -> None:
    assert [model["name"] for model in models if not model["description"].strip()] == []


def test_every_mart_ends_its_description_in_its_grain(marts: list[dict[str, Any]]) -> None:
    assert [
        m["name"] for m in marts if not re.search(r"One row per [^.]+\.", m["description"])
    ] == []


def test_every_mart_column_is_described_and_typed(marts: list[dict[str, Any]]) -> None:
    assert [
        f"{mart['name']}.{column['name']}"
        for mart in marts
        for column in mart["columns"].values()
        if not (column["description"].strip() and column["data_type"])
    ] == []


def test_layers_read_one_way(models: list[dict[str, Any]]) -> None:
    layer_of = {model["unique_id"]: layer(model) for model in models}
    allowed = {
        # Seeds and sources have no layer.
        "staging": {None},
        "intermediate": {"staging", "intermediate"},
        "marts": {"intermediate"},
    }
    assert [
        (model["name"], parent)
        for model in models
        for parent in model["depends_on"]["nodes"]
        if layer_of.get(parent) not in allowed[layer(model)]
    ] == []


def test_every_mart_has_its_own_yaml_and_its_rules(
    manifest: dict[str, Any], marts: list[dict[str, Any]]
) -> None:
    assert [
        mart["name"]
        for mart in marts
        if not mart["patch_path"].endswith(f"models/marts/{mart['name']}.yml")
    ] == []
    with_rules = {
        node["attached_node"]
        for node in manifest["nodes"].values()
        if (node.get("test_metadata") or {}).get("name") == "keeps_its_rules"
    }
    assert [m["name"] for m in marts if m["unique_id"] not in with_rules] == ["fct_sample_texts"]


def test_unit_tests_pass_which_a_build_of_everything_leaves_out(
    built_warehouse: Path, tmp_path: Path
) -> None:
    for name in ("warehouse.duckdb", "generations.duckdb"):
        shutil.copy(built_warehouse.parent / name, tmp_path)
    said = run_dbt("test", "--select", "test_type:unit", env=dbt_environment(tmp_path))
    assert said.returncode == 0, said.stdout[-8_000:]
    assert re.search(r"PASS=[1-9]\d* WARN=0 ERROR=0 SKIP=0", said.stdout)


def test_analyses_and_exposures_read_marts_only(manifest: dict[str, Any]) -> None:
    analyses = [n for n in manifest["nodes"].values() if n["resource_type"] == "analysis"]
    read = {
        parent
        for reader in [*analyses, *manifest["exposures"].values()]
        for parent in reader["depends_on"]["nodes"]
    }
    assert [
        parent
        for parent in sorted(read)
        # Or what builds before this one found.
        if parent.partition(".")[0] != "snapshot"
        and (parent.partition(".")[0] != "model" or layer(manifest["nodes"][parent]) != "marts")
    ] == []


def test_every_view_of_the_app_is_an_exposure(manifest: dict[str, Any]) -> None:
    views = {
        path.relative_to(REPOSITORY).as_posix()
        for path in (REPOSITORY / "app" / "views").glob("*.py")
        if path.name != "__init__.py"
    }
    described = " ".join(e["description"] for e in manifest["exposures"].values())
    assert views
    assert {view for view in views if view not in described} == set()


def test_no_exposure_outlives_its_file(manifest: dict[str, Any]) -> None:
    named = {
        path
        for exposure in manifest["exposures"].values()
        for path in re.findall(r"\bapp/[\w/]+\.py\b", exposure["description"])
    }
    assert {path for path in named if not (REPOSITORY / path).exists()} == set()
