"""Every release: environments made of them, jobs run in them, and what is found between two of them."""
