"""How workers get machines: one module per launcher."""
