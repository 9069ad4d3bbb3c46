"""Tables for the shipped `tabular`: which column is what, and their encoding by Keras's FeatureSpace."""
