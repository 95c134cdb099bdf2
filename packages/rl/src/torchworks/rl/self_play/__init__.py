"""A board game learnt by playing against oneself: AlphaZero on Connect Four."""
