"""What both applications share: security, limits, errors as JSON, files of the page, the server."""
