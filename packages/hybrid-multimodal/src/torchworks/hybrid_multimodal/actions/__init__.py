"""Films, named by the action that they show."""
