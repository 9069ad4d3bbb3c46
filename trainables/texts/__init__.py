"""What `finetune-text` is made of: texts in files, their words, an encoder, and a model to begin with."""
