"""Why an item stands in a list, in a sentence for a person."""
