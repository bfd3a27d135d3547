"""The server: TLS, routes, authorization, delivery of answers."""
