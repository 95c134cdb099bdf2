"""The recipe speed: small images classified as accurately as a few seconds of training allow."""
