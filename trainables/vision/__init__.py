"""Images by class: their data, their augmentation, and the bases that are fine-tuned on them."""
