"""The jobs of a campaign in a queue: what they take, how many there are, what became of them."""
