"""The texts of pages in other languages: `make messages` gathers them and compiles the catalogues under `locale/`."""
