"""A sweep on Kubernetes: the RayJob that KubeRay's operator runs, checked before it is written or applied."""
