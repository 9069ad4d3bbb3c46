"""A variational autoencoder that has steps of its own, and no call."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from trainables import Data, Trainable, TrainingParams


class Sampling(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs):
        mean, log_var = inputs
        return mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=self.seed_generator)


class Vae(keras.Model):
    def __init__(self, latent_dim, **kwargs):
        super().__init__(**kwargs)
        inputs = keras.Input(shape=(8,))
        x = layers.Dense(8, activation="relu")(inputs)
        mean, log_var = layers.Dense(latent_dim)(x), layers.Dense(latent_dim)(x)
        self.encoder = keras.Model(inputs, [mean, log_var, Sampling()([mean, log_var])])
        latent = keras.Input(shape=(latent_dim,))
        self.decoder = keras.Model(latent, layers.Dense(8)(layers.Dense(8, activation="relu")(latent)))
        self.total_loss_tracker = keras.metrics.Mean(name="total_loss")
        self.kl_loss_tracker = keras.metrics.Mean(name="kl_loss")

    @property
    def metrics(self):
        return [self.total_loss_tracker, self.kl_loss_tracker]

    def losses_of(self, data):
        mean, log_var, z = self.encoder(data)
        reconstruction = ops.mean(ops.sum(ops.square(data - self.decoder(z)), axis=1))
        kl = ops.mean(ops.sum(-0.5 * (1 + log_var - ops.square(mean) - ops.exp(log_var)), axis=1))
        return reconstruction + 0.1 * kl, kl

    def train_step(self, data):
        with tf.GradientTape() as tape:
            total, kl = self.losses_of(data)
        gradients = tape.gradient(total, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights))
        self.total_loss_tracker.update_state(total)
        self.kl_loss_tracker.update_state(kl)
        return {"loss": self.total_loss_tracker.result(), "kl_loss": self.kl_loss_tracker.result()}

    def test_step(self, data):
        total, kl = self.losses_of(data)
        self.total_loss_tracker.update_state(total)
        self.kl_loss_tracker.update_state(kl)
        return {"loss": self.total_loss_tracker.result(), "kl_loss": self.kl_loss_tracker.result()}


class Autoencoder(Trainable):
    loss = None

    class Params(TrainingParams):
        latent_dim: int = 2

    def load_data(self):
        rng = np.random.default_rng(0)
        x = (rng.normal(size=(256, 2)) @ rng.normal(size=(2, 8))).astype("float32")
        return Data(train=x[:192], validation=x[192:])

    def build_model(self, params):
        return Vae(params.latent_dim)
