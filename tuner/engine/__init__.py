"""The engine: Ray Tune executes the policy's decisions on warm Keras workers. The only importer of ray."""
