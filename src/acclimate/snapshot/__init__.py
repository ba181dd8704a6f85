"""A model and the state it starts from as one folder, named by its hash, published at once or not at all."""

from acclimate.snapshot.folder import FORMAT as FORMAT
from acclimate.snapshot.folder import OTHERWISE as OTHERWISE
from acclimate.snapshot.folder import Loaded as Loaded
from acclimate.snapshot.folder import Snapshot as Snapshot
from acclimate.snapshot.folder import probe as probe
from acclimate.snapshot.registry import Registry as Registry
