"""Images enlarged: SRResNet, SRGAN, ESRGAN."""
