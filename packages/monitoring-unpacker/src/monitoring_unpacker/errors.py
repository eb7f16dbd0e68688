class MonitoringError(Exception):
    """What keeps the job from its end, where, and what to do; a bad payload row never does."""
