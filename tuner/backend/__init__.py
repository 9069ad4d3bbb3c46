"""The engine on Ray: the session, the Tune adapter, the worker, and a driver's life. The only room that trains."""
