"""Path 2: what runs on the laptop, from a host name to a data channel under ``ssh``."""
