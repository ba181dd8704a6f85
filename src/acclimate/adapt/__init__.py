"""What changes weights, and the gate that every change has to pass."""
