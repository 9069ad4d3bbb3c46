"""The training path through `keras.Model.fit`: compiled models, callbacks, and everything that `fit` takes."""
