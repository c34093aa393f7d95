"""The page that people look at while jobs run: its files, and how they are served."""

from makegood_adapters.http.page.serving import asgi_page, page_routes

__all__ = ["asgi_page", "page_routes"]
