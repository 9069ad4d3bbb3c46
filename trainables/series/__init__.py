"""What `timeseries` is made of: a series in a file, its windows, and networks that predict what follows them."""
