"""How good a model is: protocols, intervals, comparisons, reports."""
