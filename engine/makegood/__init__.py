"""Paid AI jobs that deliver or give the money back."""
