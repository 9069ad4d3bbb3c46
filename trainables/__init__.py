"""What a sweep trains, in Keras alone: each trainable has its model, data and default sweep; all train the same way."""
