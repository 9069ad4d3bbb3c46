"""Rules and measurements of learning rates, batch sizes and epochs before a sweep. Rules need no TensorFlow."""
