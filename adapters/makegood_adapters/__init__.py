"""Everything of makegood that touches the world: databases, providers, HTTP, files and the command line."""
