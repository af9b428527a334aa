"""A gallery: pages, a typed JSON interface with OpenAPI, pictures and live messages."""
