"""Images from noise in one step, by a model that learnt from another one's images."""
