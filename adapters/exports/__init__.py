"""What a model has become on its way from one framework to another runtime."""
