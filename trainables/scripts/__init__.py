"""Scripts: training loops and commands of the user's own, a process a trial, with the interface of Keras's trainers.

A loop is a function `main(params, report)`; a command is any program. Neither needs Keras, and nothing here imports it.
"""
