"""The commands `makegood jobs`: list them, show one with its money, cancel it, follow it to its end."""
