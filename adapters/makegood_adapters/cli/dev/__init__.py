"""`makegood dev`: job types of one Python file, run on this machine while they are written."""
