"""How good lists and forecasts are: pure functions of arrays, and nothing else.

`acclimate.metrics.ranking` says how far up the right items stand, `acclimate.metrics.lists` what else can be
said of lists (how new, varied, popular), `acclimate.metrics.forecasts` how true foreseen ratings and chances
are.
"""

from __future__ import annotations

from acclimate.metrics.forecasts import accuracy as accuracy
from acclimate.metrics.forecasts import auc as auc
from acclimate.metrics.forecasts import calibration_error as calibration_error
from acclimate.metrics.forecasts import grouped_auc as grouped_auc
from acclimate.metrics.forecasts import log_loss as log_loss
from acclimate.metrics.forecasts import mae as mae
from acclimate.metrics.forecasts import rmse as rmse
from acclimate.metrics.lists import coverage as coverage
from acclimate.metrics.lists import diversity as diversity
from acclimate.metrics.lists import gini as gini
from acclimate.metrics.lists import mean_over_lists as mean_over_lists
from acclimate.metrics.lists import self_information as self_information
from acclimate.metrics.lists import serendipity as serendipity
from acclimate.metrics.ranking import Places as Places
from acclimate.metrics.ranking import find_places as find_places
from acclimate.metrics.ranking import metrics_at as metrics_at
from acclimate.metrics.ranking import rank_metrics as rank_metrics
from acclimate.metrics.ranking import ranking_auc as ranking_auc
from acclimate.metrics.ranking import top_lists as top_lists
