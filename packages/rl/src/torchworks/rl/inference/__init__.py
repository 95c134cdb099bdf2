"""What is done with finished runs and with environments, whatever an agent learnt by."""
