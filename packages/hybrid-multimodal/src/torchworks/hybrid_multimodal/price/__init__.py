"""What something costs, by a picture and a row of a table."""
