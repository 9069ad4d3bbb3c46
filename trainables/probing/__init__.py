"""A few steps of training before a sweep: what fails, what a resume loses, and which parameters have no effect."""
