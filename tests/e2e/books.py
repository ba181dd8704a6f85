# ruff: noqa: E501
"""A made library: titles whose authors died long ago, and readers with a taste. Used by the page's tests."""

from __future__ import annotations

import numpy as np

from acclimate.config import Home, Settings
from acclimate.data.dataset import Dataset
from acclimate.data.vocab import Vocabulary
from acclimate.models.item_knn import ItemKNN
from acclimate.policies import make_policy
from acclimate.recommend import Recommender
from acclimate.rng import generator
from acclimate.state.fold import LiveState
from acclimate.types import Item, User

SHELVES = {
    "Adventure": "Treasure Island (1883)|Kidnapped (1886)|King Solomon's Mines (1885)|The Count of Monte Cristo (1846)|"
    "The Three Musketeers (1844)|Robinson Crusoe (1719)|The Call of the Wild (1903)|White Fang (1906)|Kim (1901)|"
    "Around the World in Eighty Days (1873)",
    "Science": "The Time Machine (1895)|The War of the Worlds (1898)|The Invisible Man (1897)|"
    "Twenty Thousand Leagues Under the Sea (1870)|Journey to the Centre of the Earth (1864)|"
    "From the Earth to the Moon (1865)|Flatland (1884)|The Island of Doctor Moreau (1896)|Erewhon (1872)",
    "Gothic": "Frankenstein (1818)|Dracula (1897)|Carmilla (1872)|The Turn of the Screw (1898)|"
    "The Picture of Dorian Gray (1890)|Strange Case of Dr Jekyll and Mr Hyde (1886)|Wuthering Heights (1847)|"
    "The Castle of Otranto (1764)|Northanger Abbey (1817)",
    "Mystery": "A Study in Scarlet (1887)|The Sign of the Four (1890)|The Hound of the Baskervilles (1902)|"
    "The Moonstone (1868)|The Woman in White (1860)|The Leavenworth Case (1878)|Bleak House (1853)",
    "Romance": "Pride and Prejudice (1813)|Emma (1815)|Persuasion (1817)|Jane Eyre (1847)|Sense and Sensibility (1811)|"
    "North and South (1855)|Far from the Madding Crowd (1874)|A Room with a View (1908)|Middlemarch (1871)",
    "Children": "Alice's Adventures in Wonderland (1865)|Through the Looking-Glass (1871)|The Wind in the Willows (1908)|"
    "The Jungle Book (1894)|The Secret Garden (1911)|A Little Princess (1905)|Peter and Wendy (1911)|Heidi (1881)|"
    "The Wonderful Wizard of Oz (1900)|Pinocchio (1883)",
    "Tragedy": "Anna Karenina (1878)|Crime and Punishment (1866)|Madame Bovary (1857)|Tess of the d'Urbervilles (1891)|"
    "The Brothers Karamazov (1880)|Les Misérables (1862)|The Idiot (1869)|Moby-Dick (1851)",
}
SECOND = {"Gothic": "Horror", "Mystery": "Crime", "Science": "Fiction", "Romance": "Society"}
READERS = ("Ada", "Bertha", "Charles", "Dorothea", "Edmond", "Florence", "George", "Harriet")
NOW = 1_700_000_000.0


def library(readers: int = 48, seed: int = 7) -> Dataset:
    """Return the books and what ``readers`` made-up readers liked: most of it from two shelves each."""
    shelves = {name: titles.split("|") for name, titles in SHELVES.items()}
    items = [
        Item(f"book-{name}-{n}".lower(), title, categories=tuple(filter(None, (name, SECOND.get(name)))))
        for name, titles in shelves.items()
        for n, title in enumerate(titles)
    ]
    shelf = np.repeat(np.arange(len(shelves)), [len(titles) for titles in shelves.values()])
    rows: list[tuple[int, int, float]] = []
    for reader in range(readers):
        rng = generator(seed, "reader", reader)
        tastes = rng.choice(len(shelves), 2, replace=False)
        chance = np.where(np.isin(shelf, tastes), 1.0, 0.06)
        liked = rng.choice(len(items), rng.integers(5, 13), replace=False, p=chance / chance.sum())
        rows += [(reader, int(item), NOW + 3600.0 * n + reader) for n, item in enumerate(liked)]
    users = [f"reader-{n}" for n in range(readers)]
    people = [User(name, {"name": READERS[n]} if n < len(READERS) else {}) for n, name in enumerate(users)]
    user, item, time = (np.array(column) for column in zip(*rows, strict=True))
    return Dataset(
        Vocabulary(users), Vocabulary(book.item_id for book in items), user, item, time,
        catalogue=items, people=people, name="library",
    )  # fmt: skip


def load_library(home: Home, settings: Settings) -> Recommender:
    """Return item neighbours over the library; what an `Engine` takes as ``load``."""
    data = library()
    model = ItemKNN()
    model.fit(data)
    state = LiveState.of(data, settings.events)
    return Recommender(model, state, make_policy(settings.policy), snapshot_id="3f9a27c41b60d8e5")
