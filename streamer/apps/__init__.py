"""One file per product: each composes the rooms below into something a user types."""
