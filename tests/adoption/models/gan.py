"""A GAN with a compile of its own, which takes two optimizers."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from trainables import Data, Trainable, TrainingParams

LATENT = 4


class Gan(keras.Model):
    def __init__(self, discriminator, generator):
        super().__init__()
        self.discriminator, self.generator = discriminator, generator
        self.seed_generator = keras.random.SeedGenerator(1337)

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn
        self.d_loss_metric = keras.metrics.Mean(name="d_loss")
        self.g_loss_metric = keras.metrics.Mean(name="g_loss")

    @property
    def metrics(self):
        return [self.d_loss_metric, self.g_loss_metric]

    def noise(self, real):
        return keras.random.normal((ops.shape(real)[0], LATENT), seed=self.seed_generator)

    def train_step(self, real):
        made = self.generator(self.noise(real))
        labels = ops.concatenate([ops.ones((ops.shape(made)[0], 1)), ops.zeros((ops.shape(real)[0], 1))], axis=0)
        with tf.GradientTape() as tape:
            d_loss = self.loss_fn(labels, self.discriminator(ops.concatenate([made, real], axis=0)))
        gradients = tape.gradient(d_loss, self.discriminator.trainable_weights)
        self.d_optimizer.apply_gradients(zip(gradients, self.discriminator.trainable_weights))
        with tf.GradientTape() as tape:
            fooled = self.discriminator(self.generator(self.noise(real)))
            g_loss = self.loss_fn(ops.zeros_like(fooled), fooled)
        gradients = tape.gradient(g_loss, self.generator.trainable_weights)
        self.g_optimizer.apply_gradients(zip(gradients, self.generator.trainable_weights))
        self.d_loss_metric.update_state(d_loss)
        self.g_loss_metric.update_state(g_loss)
        updates = ops.cast(self.g_optimizer.iterations, "float32")
        return {"d_loss": self.d_loss_metric.result(), "g_loss": self.g_loss_metric.result(), "updates": updates}

    def test_step(self, real):
        made = self.generator(self.noise(real))
        return {"gap": ops.abs(ops.mean(ops.std(made, axis=0)) - ops.mean(ops.std(real, axis=0)))}


class Points(Trainable):
    class Params(TrainingParams):
        units: int = 8
        generator_rate: float = 0.001

    def load_data(self):
        x = np.random.default_rng(3).normal(size=(192, 2)).astype("float32")
        return Data(train=x[:160], validation=x[160:])

    def build_model(self, params):
        hidden = layers.Dense(params.units, activation="relu")
        discriminator = keras.Sequential([keras.Input((2,)), hidden, layers.Dense(1)])
        generator = keras.Sequential([keras.Input((LATENT,)), layers.Dense(params.units), layers.Dense(2)])
        gan = Gan(discriminator, generator)
        gan.compile(
            d_optimizer=keras.optimizers.Adam(params.learning_rate),
            g_optimizer=keras.optimizers.Adam(params.generator_rate),
            loss_fn=keras.losses.BinaryCrossentropy(from_logits=True),
        )
        return gan
