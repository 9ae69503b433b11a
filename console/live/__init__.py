"""The Live page's engine: finished calls out of the records, boards for each scope, pushed over a WebSocket once a second."""
