"""Tables in, a Dataset out: read, check, order, split."""
