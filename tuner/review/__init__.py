"""Looking back at a sweep: its status, its explanation, its verification, and its models."""
