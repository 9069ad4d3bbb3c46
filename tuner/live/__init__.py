"""Pages of sweeps that follow their journals: `tuner ui --live`."""
