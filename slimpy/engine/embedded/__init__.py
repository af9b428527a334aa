"""An engine without a daemon: containers out of the kernel's own parts, for root and for users."""
